"""The event WorkMail hands to a Run Lambda function, built from a message and its envelope (E1-E8)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.assumptions import is_on_behalf
from workmail_flow.limits import MAX_EVENT_BYTES, MAX_SUBJECT_CHARACTERS, MESSAGE_ID_PATTERN
from workmail_local.message_head import MessageHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_flow.vocabulary import FlowDirection

SUMMARY_VERSION: Final = "2019-07-28"
"""The newest version seen (E2)."""

_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN)


def build_event(
    *,
    message: bytes | MessageHead,
    mail_from: str,
    recipients: Sequence[str],
    direction: FlowDirection,
    message_id: str,
    invocation_id: str,
) -> dict[str, Any]:
    """Build the event of one invocation, in the newest documented form (E1).

    If Sender sent on behalf of From, `sender` is its address and `mailFrom` the address it acted for (E3). The subject
    is cut at 256 characters (E5). If the encoded event exceeds 128 KB, recipients are cut and `truncated` is set (E6).

    Args:
        message: The message, or its parsed head.
        mail_from: Envelope sender; "" for the null reverse-path of a bounce.
        recipients: Envelope recipients of this SMTP conversation (E4).
        direction: Inbound or outbound.
        message_id: The id to fetch the content by, `[a-z0-9-]{1,120}` (E8).
        invocation_id: The same for all retries of one event (E7).

    Raises:
        ValueError: `message_id` does not match its pattern.
    """
    head = message if isinstance(message, MessageHead) else MessageHead.parse(message)
    on_behalf = is_on_behalf(head.sender, head.from_)
    return compose_event(
        mail_from=head.from_ if on_behalf else mail_from,
        recipients=recipients,
        sender=head.sender if on_behalf else None,
        subject=head.subject,
        direction=direction,
        message_id=message_id,
        invocation_id=invocation_id,
    )


def compose_event(
    *,
    mail_from: str,
    recipients: Sequence[str],
    sender: str | None,
    subject: str,
    direction: FlowDirection,
    message_id: str,
    invocation_id: str,
) -> dict[str, Any]:
    """Build the event from its fields, with the cuts that WorkMail makes (E5, E6); `sender` is as E3 says.

    Raises:
        ValueError: `message_id` does not match its pattern.
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError(f"message_id is {message_id!r}; allowed is {MESSAGE_ID_PATTERN} (E8)")
    named = [{"address": recipient} for recipient in recipients]
    event: dict[str, Any] = {
        "summaryVersion": SUMMARY_VERSION,
        "envelope": {"mailFrom": {"address": mail_from}, "recipients": named},
        **({} if sender is None else {"sender": {"address": sender}}),
        "subject": subject[:MAX_SUBJECT_CHARACTERS],
        "messageId": message_id,
        "invocationId": invocation_id,
        "flowDirection": direction.value,
        "truncated": False,
    }
    size = len(encode_event(event))
    if size > MAX_EVENT_BYTES:
        event["truncated"] = True
        while named and size > MAX_EVENT_BYTES:
            size -= len(encode_event(named.pop())) + 1  # the comma between two recipients
    return event


def encode_event(event: dict[str, Any]) -> bytes:
    """Encode an event as the function gets it; E6 counts these bytes."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
