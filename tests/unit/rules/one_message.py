"""A message for one step, as the runner gives it."""

from __future__ import annotations

from typing import Any

from workmail_rules.conversation import Conversation
from workmail_rules.message import Message
from workmail_runtime.content import MessageContent
from workmail_runtime.event import AsynchronousEvent, Event, SynchronousEvent

INVOCATION_ID = "00000000-1111-2222-3333-444444444444"
MESSAGE_ID = "00000000-5555-6666-7777-888888888888"
RECIPIENTS = ("alice@example.com", "bob@example.com")


def new_event(*, kind: type[Event] = SynchronousEvent, context: Any = None, **changes: Any) -> Event:
    """Return an inbound event to Alice and Bob."""
    raw = {
        "summaryVersion": "2019-07-28",
        "envelope": {
            "mailFrom": {"address": "carol@example.net"},
            "recipients": [{"address": address} for address in RECIPIENTS],
        },
        "subject": "Hello",
        "messageId": MESSAGE_ID,
        "invocationId": INVOCATION_ID,
        "flowDirection": "INBOUND",
        "truncated": False,
        **changes,
    }
    return kind.parse(raw, context)


def one_message(raw: bytes = b"", event: Event | None = None, *, edits: bool = False) -> Message:
    """Return the message of an event for a step that is for all of its recipients."""
    event = event or new_event()
    conversation = Conversation(event, edits=edits, content=MessageContent(event, raw))
    return Message(conversation, step="Step", recipients=conversation.outcomes.left)


def asynchronous_message(raw: bytes = b"") -> Message:
    """Return the message of an asynchronous rule."""
    return one_message(raw, new_event(kind=AsynchronousEvent))


def actions(message: Message) -> dict[str, str]:
    """Return what was decided for each recipient; those that the event leaves out are the empty one."""
    outcomes = message._conversation.outcomes
    return {outcomes._addresses.get(key, key): each.action.value for key, each in outcomes._outcomes.items()}


def edited(message: Message) -> bytes:
    """Return the message with the edits so far."""
    return bytes(message.parsed.to_bytes())
