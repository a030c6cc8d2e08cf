"""What CloudWatch counts of WorkMail's event log: metric names, and the filter patterns that count (W3, W4)."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from workmail_flow.email_events import EventName, RuleType

INCOMING_BOUNCES: Final = "IncomingEmailBounced"
OUTGOING_BOUNCES: Final = "OutgoingEmailBounced"
"""Bounced recipients; the names of WorkMail's own metrics (W1), which have dimensions that no page names."""

MAX_METRIC_FILTERS: Final = 100
"""The most that CloudWatch Logs takes for one log group."""

_NAMESPACE: Final = "WorkMailEvents"
_LONGEST: Final = 100  # characters of a rule's name in a metric's name, which has 255
_LONGEST_IN_ID: Final = 40
_NO_LETTER: Final = re.compile(r"[^0-9A-Za-z]")
_NOT_SPELLED: Final = re.compile(r"[^0-9A-Za-z ._/-]")


def events_namespace(organization: str) -> str:
    """Return the CloudWatch namespace of an organization's metrics, by its alias or id."""
    return f"{_NAMESPACE}/{organization}"


def rule_metric(rule: str) -> str:
    """Return the name of the metric that counts how often an email flow rule was applied."""
    spelled = _NOT_SPELLED.sub("_", rule[:_LONGEST])
    return f"RuleApplied {spelled}" if spelled == rule else f"RuleApplied {spelled} {_hash(rule)}"


def rule_id(rule: str) -> str:
    """Return what stands for a rule in a construct's id: the rule's name may have characters that no id has."""
    return f"Rule-{_NO_LETTER.sub('', rule)[:_LONGEST_IN_ID]}-{_hash(rule)}"


def _hash(rule: str) -> str:
    return sha256(rule.encode()).hexdigest()[:8]


def bounce_pattern(event: EventName) -> str:
    """Return the filter pattern of all entries with this name."""
    return f"{{ $.event.eventName = {_quoted(event)} }}"


def rule_pattern(rule: str) -> str:
    """Return the filter pattern of the entries that an email flow rule was applied; users' own rules do not count.

    A star at either end of the name is a wildcard for CloudWatch Logs, which has no way to write it as a character.
    """
    return (
        f"{{ ($.event.eventName = {_quoted(EventName.RULE_APPLIED)}) "
        f"&& ($.event.ruleType != {_quoted(RuleType.MAILBOX_RULE)}) && ($.event.ruleName = {_quoted(rule)}) }}"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
