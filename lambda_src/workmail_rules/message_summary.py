"""What a step tells another service of a message: ids and counts, and what its configuration asks for beside them."""

from __future__ import annotations

import json

from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from workmail_rules.message import Message

VERSION: Final = 1
"""Of the summary's form; `docs/steps/message_summary.schema.json` describes it."""

MAX_BYTES: Final = 240 * 1024
"""The longest summary, in UTF-8. EventBridge and Step Functions take 256 KB with what they add."""


def message_summary(message: Message, *, organization_id: str, addresses: bool, subject: bool) -> str:
    """Return the summary as JSON text, the same in each attempt of an invocation.

    Recipients past the limit are left out, and `truncated` says so.

    Raises:
        StepError: The summary is too long even without recipients.
    """
    event = message.event
    recipients = message.recipients
    summary: dict[str, Any] = {
        "version": VERSION,
        "organizationId": organization_id,
        "invocationId": event.invocation_id,
        "messageId": event.message_id,
        "flowDirection": event.direction,
        "recipientCount": len(recipients),
        "truncated": event.truncated,
    }
    if subject:
        summary["subject"] = event.subject
    if addresses:
        summary |= {"mailFrom": event.mail_from, "sender": event.sender, "recipients": []}
    room = MAX_BYTES - len(_json(summary).encode())
    if room < 0:
        raise StepError(f"the summary has more than {MAX_BYTES:,} bytes without any recipient")
    for address in recipients if addresses else ():
        room -= len(_json(address).encode()) + 1
        if room < 0:
            summary["truncated"] = True
            break
        summary["recipients"].append(address)
    return _json(summary)


def _json(value: object) -> str:
    # Half of a surrogate pair, which JSON can spell and UTF-8 cannot, becomes "?".
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
