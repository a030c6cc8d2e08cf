"""`PublishEvent`: an event on an EventBridge bus."""

from __future__ import annotations

import time

from workmail_rules.aws_call import call
from workmail_rules.message_summary import message_summary
from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from workmail_rules.message import Message

_RETRIED: Final = frozenset({"InternalException", "InternalFailure", "ThrottlingException"})
"""The errors of an entry that may be gone in the next try. `call` tries whole requests again by itself."""

_WAITS_S: Final = (0.2, 0.6)
"""The waits between the tries of an entry."""


def run(
    message: Message,
    *,
    bus: str,
    source: str,
    detail_type: str,
    organization_id: str,
    addresses: bool,
    subject: bool,
) -> None:
    """Publish one event per invocation, with the message's summary as its detail."""

    def publish() -> str:
        detail = message_summary(message, organization_id=organization_id, addresses=addresses, subject=subject)
        entry = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": detail}
        return _publish(entry, message)

    message.note(f"event {message.once('event', publish)} published")


def _publish(entry: Mapping[str, str], message: Message) -> str:
    """Put an entry, and return the event's id."""
    waits = list(_WAITS_S)
    while True:
        match call("EventBridge", "PutEvents", {"Entries": [entry]}, deadline=message.deadline):
            case {"Entries": [{"EventId": str(event_id)}]}:
                return event_id
            case {"Entries": [{"ErrorCode": str(code)}]}:
                # The error's text may repeat the entry, so only its code is shown.
                if code not in _RETRIED or not waits or message.time_left_s <= waits[0]:
                    raise StepError(f"EventBridge did not take the event: {code}")
                time.sleep(waits.pop(0))
            case _:
                raise StepError("EventBridge gave an answer without an entry")
