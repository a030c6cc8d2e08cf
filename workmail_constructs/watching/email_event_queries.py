"""Saved queries of CloudWatch Logs Insights over WorkMail's event log (W3, W4), for a person to fill in and run."""

from __future__ import annotations

from typing import Final

WHY_NOT_DELIVERED: Final = """\
# Why did B not get A's mail? Put in A's and B's addresses in small letters, and choose the time of the search.
# One line for each mail. Delivered and bounced: how many recipients of the mail. A rule with an action such as DROP, or
# the folder of junk mail, says where it went. No line at all: WorkMail did not receive such a mail.
# All that happened to one mail: fields @timestamp, @message | filter traceId = "the trace id of its line"
fields tolower(@message) as entry
| filter entry like "b@example.com"
| fields strcontains(entry, "a@example.com") as names_a
| fields strcontains(event.eventName, "MAILBOX_EMAIL_DELIVERED") as delivery
| fields strcontains(event.eventName, "EMAIL_BOUNCED") as bounce
| stats min(@timestamp) as first_seen, max(event.subject) as subject, sum(delivery) as delivered,
    max(event.folder) as folder, sum(bounce) as bounced, max(event.ruleName) as rule,
    max(event.ruleActions.0.action) as action, max(event.policy) as dmarc_policy_applied,
    max(event.spamVerdict) as spam, max(event.dmarcVerdict) as dmarc, max(names_a) as of_a by traceId
| filter of_a > 0
| sort first_seen desc
| limit 100
"""

WHAT_A_RULE_DID: Final = """\
# What did rule R do today? Put in the rule's name as it is in the console, and choose the time of the search.
# Each line is an action with how often the rule took it. The log does not tell a fallback action from an answer.
filter event.eventName = "RULE_APPLIED" and event.ruleType != "MAILBOX_RULE" and event.ruleName = "RULE NAME"
| stats count(*) as times, min(@timestamp) as first_seen, max(@timestamp) as last_seen
    by event.ruleType, event.ruleActions.0.action
| sort times desc
| limit 100
"""

WHAT_FAILED_DMARC: Final = """\
# Which mail failed DMARC? Choose the time of the search. The policy is what the sender's domain asks for such mail.
# Only of one domain: add a line | filter event.from like "@example.com"
filter event.eventName = "ORGANIZATION_EMAIL_RECEIVED" and event.dmarcVerdict = "FAIL"
| fields @timestamp, event.from, event.recipients.0, event.subject, event.dmarcPolicy, event.spfVerdict,
    event.dkimVerdict, event.spamVerdict, traceId
| sort @timestamp desc
| limit 1000
"""

EMAIL_EVENT_QUERIES: Final = {
    "Why did B not get mail of A": WHY_NOT_DELIVERED,
    "What did a rule do": WHAT_A_RULE_DID,
    "Which mail failed DMARC": WHAT_FAILED_DMARC,
}
"""By the name that the console lists each under."""
