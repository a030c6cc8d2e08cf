"""What WorkMail's event log says of each message on its way (W3, W4)."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.assumptions import from_for_rules, is_on_behalf
from workmail_flow.email_events import RULE_TYPE_OF, EmailEvent, EventName
from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_local.mail.mailboxes import JUNK
from workmail_local.message_head import header_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_local.records import Flow, Message, RecipientOutcome

_FOLDER_NAMES: Final = {JUNK: "Junk E-mail"}
_INBOX_NAME: Final = "Inbox"

_TRACES: Final = uuid.UUID("2b8c2c1e-7a53-4b0e-9d0f-5f3f8f1f6a11")
_VERDICT: Final = re.compile(rb"\b(spf|dkim|dmarc)=(pass|fail|hardfail|softfail)\b", re.IGNORECASE)
_POLICY: Final = re.compile(rb"\bp=(none|quarantine|reject)\b", re.IGNORECASE)
_NO_VERDICT: Final = "GRAY"
"""What SES says of mail that it could not check, for example because it is not signed."""

_MAILBOX_FULL: Final = "5.2.2"
_GATEWAY_UNREACHABLE: Final = "4.4.1"


def accepted(message: Message, content: bytes, recipients: Sequence[str], *, spam: bool) -> EmailEvent:
    """Say that a message came in, or was submitted, for recipients of one organization."""
    fields: dict[str, Any] = {"recipients": list(recipients), **_author(message), "subject": message.head.subject}
    if message.direction is FlowDirection.OUTBOUND:
        return _event(message, EventName.OUTGOING_EMAIL_SUBMITTED, fields)
    received = datetime.fromtimestamp(message.received_at, tz=UTC).isoformat(timespec="milliseconds")
    fields |= {
        "messageId": _smtp_message_id(content),
        "spamVerdict": "FAIL" if spam else "PASS",
        **_verdicts(content),
        "messageTimestamp": received,
    }
    return _event(message, EventName.ORGANIZATION_EMAIL_RECEIVED, fields)


def rule_applied(flow: Flow, outcomes: Sequence[RecipientOutcome]) -> EmailEvent | None:
    """Say which rule decided and what it did for whom; None if no rule did."""
    if flow.rule is None:
        return None
    by_action: dict[str, list[str]] = {}
    for outcome in outcomes:
        by_action.setdefault(outcome.action, []).append(outcome.recipient)
    fields = {
        "ruleName": flow.rule.name,
        "ruleType": RULE_TYPE_OF[flow.message.direction],
        "ruleActions": [{"action": action, "recipients": found} for action, found in by_action.items()],
    }
    return _event(flow.message, EventName.RULE_APPLIED, fields)


def bounced(flow: Flow, outcome: RecipientOutcome) -> EmailEvent:
    """Say that a mailbox or a gateway could not take the message."""
    outbound = flow.message.direction is FlowDirection.OUTBOUND
    recipient = {
        "emailAddress": outcome.recipient,
        "reason": outcome.reason,
        "status": _GATEWAY_UNREACHABLE if outbound else _MAILBOX_FULL,
    }
    name = EventName.OUTGOING_EMAIL_BOUNCED if outbound else EventName.INCOMING_EMAIL_BOUNCED
    return _event(flow.message, name, {"bouncedRecipient": recipient})


def delivered(flow: Flow, outcomes: Sequence[RecipientOutcome], content: bytes) -> Iterator[EmailEvent]:
    """Say for each recipient that the message is in a mailbox, or on its way out.

    Args:
        flow: The flow.
        outcomes: With their places.
        content: The message as it came in; its head is enough.
    """
    outbound = flow.message.direction is FlowDirection.OUTBOUND
    for outcome in outcomes:
        if outcome.place is None or outcome.action == RuleAction.BOUNCE:
            continue
        if outbound:
            fields = {
                "recipient": outcome.recipient,
                **_author(flow.message),
                "messageId": _smtp_message_id(content),
            }
            yield _event(flow.message, EventName.OUTGOING_EMAIL_SENT, fields)
        where = outcome.place.split("/")
        if where[0] == "mailboxes":
            folder = _FOLDER_NAMES.get(where[2], _INBOX_NAME)
            in_mailbox = {"recipient": outcome.recipient, "folder": folder}
            yield _event(flow.message, EventName.MAILBOX_EMAIL_DELIVERED, in_mailbox)


def _event(message: Message, name: EventName, fields: dict[str, Any]) -> EmailEvent:
    # Not the message's own id, which is its E8: nothing says that WorkMail's are the same.
    return EmailEvent(trace_id=str(uuid.uuid5(_TRACES, message.id)), name=name, fields=fields)


def _author(message: Message) -> dict[str, str]:
    head = message.head
    from_ = from_for_rules(head.from_, message.mail_from)
    return ({"sender": head.sender or ""} if is_on_behalf(head.sender, head.from_) else {}) | {"from": from_}


def _smtp_message_id(content: bytes) -> str:
    return next((value.decode("utf-8", "replace") for _, value in header_fields(content, "message-id")), "")


def _verdicts(content: bytes) -> dict[str, str]:
    """Return the verdicts that the message's `Authentication-Results` give, since nothing is checked here."""
    verdicts = dict.fromkeys(("dkim", "dmarc", "spf"), _NO_VERDICT)
    results = b"".join(value for _, value in header_fields(content, "authentication-results"))
    for method, verdict in _VERDICT.findall(results):
        verdicts[method.decode().lower()] = "PASS" if verdict.lower() == b"pass" else "FAIL"
    policy = _POLICY.search(results)
    applies = {"dmarcPolicy": policy[1].decode().upper() if policy else "NONE"} if verdicts["dmarc"] == "FAIL" else {}
    return {f"{method}Verdict": verdict for method, verdict in verdicts.items()} | applies
