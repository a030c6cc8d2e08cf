"""How we read each fact that no source settles: named once, used by the code, explained in docs/assumptions.md.

The readings are the safest ones we know: where WorkMail turns out to differ, mail is delivered rather than lost, and a
mistake shows while a rule is tried, before it reaches a mailbox. A text is the reading as a message gives it; a
function or a value is the reading itself.
"""

from __future__ import annotations

from workmail_flow.vocabulary import RULE_ACTIONS, FlowDirection, RuleAction

CONFLICTING_ACTIONS_FAIL = "no source says which of two actions wins, so the reply counts as malformed (R11, R8)"
"""R11: different actions that name one address, or that both claim all the rest."""

ACTION_OF_OTHER_DIRECTION_FAILS = "it counts as malformed, as an unknown type does (R11, R8)"
"""R11: an action type that the direction does not have."""

ADDED_OUTSIDER_FAILS = (
    "inbound, only addresses of the organization may be added, so the reply counts as malformed (R6, R8)"
)
"""R6: an inbound reply that names an address outside the organization which the event does not have."""

NOT_STRICT_JSON_FAILS = "only JSON that every parser reads alike is well formed (R8)"
"""R8: a reply is malformed unless it is one JSON value by RFC 8259, in UTF-8 and free of what parsers disagree on."""

MAX_REPLY_NESTING = 100
"""R8: a reply whose objects and lists are nested deeper is malformed; five levels are all that R1 needs."""


def unique_action(action: str, bounce_message: str | None) -> tuple[str, str | None]:
    """R7: entries of equal type and bounce message are one unique action, however many entries repeat it."""
    return action, bounce_message


def mailbox_key(mailbox: str) -> str:
    """F4, R5: `Mary@` and `mary@` are one mailbox, in patterns, events and replies alike."""
    return mailbox.lower()


def specificity_of_rule(sender: int, destination: int) -> tuple[int, int]:
    """F9: of two rules the one with the more specific sender pattern is more specific; destinations break the tie."""
    return sender, destination


def specificity_of_wildcard(domain: str) -> int:
    """F9: the deeper wildcard domain is more specific, so `*.mail.example.com` comes before `*.example.com`."""
    return domain.count(".") + 1


RESTRICTIVENESS = {
    FlowDirection.INBOUND: RULE_ACTIONS[FlowDirection.INBOUND],
    FlowDirection.OUTBOUND: (
        *(action for action in RULE_ACTIONS[FlowDirection.OUTBOUND] if action is not RuleAction.DEFAULT),
        RuleAction.DEFAULT,
    ),
}
"""F10: most restrictive first. The documented order, but outbound Default, which restricts least, comes last."""

FIRST_OF_EQUALS_WINS = "the first one in the rule set decides"
"""F10: of rules of equal specificity and equal action, the first one in the rule set wins."""


def from_for_rules(from_: str, mail_from: str) -> str:
    """F7: a message without an address in From is matched by its envelope sender."""
    return from_ or mail_from


def conversation(organization_id: str, rule: str | None) -> tuple[str, str | None]:
    """E4, F8: the recipients of one message that one rule decides for share one invocation, with its own ids.

    Returns:
        What such recipients share.
    """
    return organization_id, rule


def is_on_behalf(sender: str | None, from_: str) -> bool:
    """E3: a Sender address other than the From address sent on behalf of it (RFC 5322 section 3.6.2)."""
    return sender is not None and bool(from_) and sender.lower() != from_.lower()


def retry_delay_s(failed: int, left_s: float) -> float:
    """T2: a second after the first failure, doubled up to five minutes; the last retry when the time left is over."""
    return min(2.0 ** min(failed - 1, 30), 300.0, left_s)


REQUIRED_HEADERS = ("from",)
"""C8: without an author no mail system takes a message; most add a missing Date on arrival."""

IMMUTABLE_HEADERS = ("bcc", "cc", "date", "from", "message-id", "received", "return-path", "sender", "to")
"""C8: those that say from whom, to whom, when and by which way the message came. Another folding or encoding of the
same words is not a change."""

DESCRIBES_ALIASES = False
"""D1: whether `DescribeEntity` finds what has the address as an alias."""

MAX_FUNCTION_QUALIFIERS = 1
"""F13: a rule may name an alias or a version of a function, whose ARN has it as one more part after the name."""

NOT_LOGGING_IS_NOT_FOUND = "no email monitoring configuration is there for the organization (W2)"
"""W2: `DescribeEmailMonitoringConfiguration` fails with ResourceNotFoundException while logging is off."""


def applied_actions(rule_actions: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """W4: `ruleActions` is a list of objects, each with an `action` and its `recipients`.

    Returns:
        Each action with its recipients; nothing for a value of another shape.
    """
    if not isinstance(rule_actions, list):
        return ()
    return tuple(
        (entry["action"], tuple(each for each in recipients if isinstance(each, str)))
        for entry in rule_actions
        if isinstance(entry, dict)
        and isinstance(entry.get("action"), str)
        and isinstance(recipients := entry.get("recipients", []), list)
    )


FALLBACK_IS_NOT_TOLD = "the log names the action that was taken, and not why: a fallback looks like an answer (W4)"
"""W4: whether an entry of the event log tells a rule's fallback action from what its function answered."""

EVERY_DECISION_IS_LOGGED = "each rule that decides has an entry, a Default rule too (W4)"
"""W4: mail without a RULE_APPLIED entry is mail that no email flow rule decided."""


def logged_within_ms(rule_timeout_minutes: int | None) -> int:
    """W4: a rule's entry comes fifteen minutes after the message's own at the latest, or so long after the timeout."""
    return ((rule_timeout_minutes or 0) + 15) * 60_000


LOGS_RULE_BOUNCES = False
"""W3: whether mail that a rule or a function bounces has a bounced event too, and not only mail that could not be
delivered."""


def mail_metric_search(metric: str) -> str:
    """W1: WorkMail's own metrics have dimensions that no page names, so they are searched for by namespace and name.

    Returns:
        A search expression of CloudWatch for the sums over five minutes, a line for each set of dimensions.
    """
    return f"SEARCH('Namespace=\"AWS/WorkMail\" MetricName=\"{metric}\"', 'Sum', 300)"
