"""WorkMail's event log: the names in its entries, and how an entry is read (W3, W4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.assumptions import applied_actions
from workmail_flow.vocabulary import FlowDirection

if TYPE_CHECKING:
    from collections.abc import Mapping


class EventName(StrEnum):
    """What an entry tells of (W3)."""

    ORGANIZATION_EMAIL_RECEIVED = "ORGANIZATION_EMAIL_RECEIVED"
    MAILBOX_EMAIL_DELIVERED = "MAILBOX_EMAIL_DELIVERED"
    RULE_APPLIED = "RULE_APPLIED"
    JOURNALING_INITIATED = "JOURNALING_INITIATED"
    INCOMING_EMAIL_BOUNCED = "INCOMING_EMAIL_BOUNCED"
    OUTGOING_EMAIL_SUBMITTED = "OUTGOING_EMAIL_SUBMITTED"
    OUTGOING_EMAIL_SENT = "OUTGOING_EMAIL_SENT"
    OUTGOING_EMAIL_BOUNCED = "OUTGOING_EMAIL_BOUNCED"
    DMARC_POLICY_APPLIED = "DMARC_POLICY_APPLIED"


class RuleType(StrEnum):
    """Which kind of rule was applied (W4). Mailbox rules are users' own, and no email flow rules."""

    INBOUND_RULE = "INBOUND_RULE"
    OUTBOUND_RULE = "OUTBOUND_RULE"
    MAILBOX_RULE = "MAILBOX_RULE"


RULE_TYPE_OF: Final = {
    FlowDirection.INBOUND: RuleType.INBOUND_RULE,
    FlowDirection.OUTBOUND: RuleType.OUTBOUND_RULE,
}

MAX_TRACE_ID_CHARACTERS: Final = 256
"""An entry with a longer trace id is none of WorkMail's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailEvent:
    """One entry of the event log.

    Args:
        trace_id: The same for all entries of a message.
        name: One of `EventName`, or a name that this release does not know.
        fields: Everything else of the entry's `event`.
    """

    trace_id: str
    name: str
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> EmailEvent | None:
        """Read an entry; None if it has not the shape of one, for anybody may write to a log group."""
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError):
            return None
        match entry:
            case {"traceId": str(trace_id), "event": {"eventName": str(name)}} if (
                len(trace_id) <= MAX_TRACE_ID_CHARACTERS
            ):
                fields = {field: value for field, value in entry["event"].items() if field != "eventName"}
                return cls(trace_id=trace_id, name=name, fields=fields)
            case _:
                return None

    def to_text(self) -> str:
        """Return the entry as WorkMail writes it."""
        return json.dumps({"traceId": self.trace_id, "event": {"eventName": self.name, **self.fields}})

    @property
    def applied_actions(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What a rule did: each action as the log spells it, with the recipients it was done for."""
        return applied_actions(self.fields.get("ruleActions"))
