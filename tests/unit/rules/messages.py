"""Messages as a step gets them, and what became of them."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from tests.unit.edit.reading import INVOCATION
from workmail_rules import Message
from workmail_rules.conversation import Conversation
from workmail_runtime.content import MessageContent
from workmail_runtime.event import InboundEvent, OutboundEvent

SENDER = "eve@example.net"


def new_message(
    raw: bytes, *, outbound: bool = False, invocation: str = INVOCATION, mail_from: str = SENDER, subject: str = "Hello"
) -> Message:
    """Return a message for a step, of an inbound rule unless `outbound`."""
    fields: dict[str, Any] = {
        "mail_from": mail_from,
        "recipients": ("ann@example.com",),
        "subject": subject,
        "message_id": "m-1",
        "invocation_id": invocation,
    }
    kind = OutboundEvent if outbound else InboundEvent
    event = kind(**fields, direction=kind.declared_direction)
    conversation = Conversation(event, edits=True, content=MessageContent(event, raw))
    return Message(conversation, step="Step", recipients=event.recipients)


def plain(text: str, *, subject: str = "Hello") -> bytes:
    """Return a message of one plain text."""
    message = EmailMessage(policy=policy.SMTP)
    _set_header(message, subject)
    message.set_content(text)
    return bytes(message)


def alternative(text: str, html: str, *, subject: str = "Hello") -> bytes:
    """Return a message of a plain text and the same in HTML."""
    message = EmailMessage(policy=policy.SMTP)
    _set_header(message, subject)
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return bytes(message)


def result(message: Message) -> bytes:
    """Return the message with the step's edits."""
    return bytes(message.editor.to_bytes())


def parsed(raw: bytes) -> EmailMessage:
    """Return a message as Python's email package reads it."""
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def shown(raw: bytes, kind: str = "plain") -> str:
    """Return one alternative of a message's body as it stands there."""
    body = parsed(raw).get_body((kind,))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def _set_header(message: EmailMessage, subject: str) -> None:
    message["From"] = SENDER
    message["To"] = "ann@example.com"
    message["Subject"] = subject
    message["Date"] = "Mon, 1 Jun 2026 10:00:00 +0200"
    message["Message-ID"] = "<1@example.net>"
