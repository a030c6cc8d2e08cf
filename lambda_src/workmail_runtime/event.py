"""The event that a rule's function gets, parsed and checked (E1-E8)."""

from __future__ import annotations

import re

from workmail_flow.limits import MESSAGE_ID_PATTERN
from workmail_flow.record import Record
from workmail_flow.vocabulary import FlowDirection
from workmail_runtime.errors import EventError
from workmail_runtime.reply import InboundReply, Reply

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self

    from workmail_runtime.content import MessageContent
    from workmail_runtime.lambda_context import LambdaContext


class Event(Record):
    """What WorkMail says about the message of one SMTP conversation; the content is fetched apart.

    Printing an event shows its ids and counts, never an address or the subject, so it may be logged.

    Args:
        mail_from: The envelope's sender; empty for a bounce. If there is a `sender`, the address it acted for (E3).
        recipients: The conversation's recipients, To, Cc and Bcc alike; inbound only the organization's own (E4).
        subject: The subject, cut at 256 characters (E5); empty without one. Never write it back into the message.
        sender: Who sent on behalf of `mail_from`; None if nobody did (E3).
        message_id: What fetches the content (E8); None in older editions (E2).
        invocation_id: The same in all retries of one event (E7); None in older editions (E2).
        direction: Which way the message travels; None in older editions, unless the handler declares it (E2).
        truncated: Whether WorkMail left recipients out to keep the event under 128 KB (E6).
        summary_version: The edition's version; None in the oldest (E2).
        raw: The decoded JSON as it came, with the fields that the runtime does not know.
        context: Lambda's context of this invocation; None outside Lambda.
    """

    mail_from: str
    recipients: tuple[str, ...]
    subject: str = ""
    sender: str | None = None
    message_id: str | None = None
    invocation_id: str | None = None
    direction: FlowDirection | None = None
    truncated: bool = False
    summary_version: str | None = None
    raw: dict[str, Any] = {}  # noqa: RUF012 - parse() always gives it; by hand, an event has no raw form
    context: LambdaContext | None = None

    mail_waits: ClassVar[bool] = True
    """Whether the mail waits for the function; if not, an update of its content never shows (C4, T4)."""

    declared_direction: ClassVar[FlowDirection | None] = None
    """The direction of every event of this class, also in editions that do not give it."""

    @classmethod
    def parse(cls, raw: object, context: LambdaContext | None = None) -> Self:
        """Parse a decoded JSON event of any edition; unknown fields are ignored (E2).

        Raises:
            EventError: Fields are missing or have a wrong type; lists all of them by path, without their values.
        """
        reader = _Reader(raw)
        direction = reader.direction(cls.declared_direction)
        fields: dict[str, Any] = {
            "mail_from": reader.text("$.envelope.mailFrom.address", required=True),
            "recipients": reader.recipients(),
            "subject": reader.text("$.subject") or "",
            "sender": reader.text("$.sender.address"),
            "message_id": reader.message_id(),
            "invocation_id": reader.text("$.invocationId"),
            "direction": direction,
            "truncated": reader.truncated(),
            "summary_version": reader.text("$.summaryVersion"),
        }
        if reader.problems or not isinstance(raw, dict):
            raise EventError(reader.problems)
        return cls._of_direction(direction)(**fields, raw=raw, context=context)

    @classmethod
    def _of_direction(cls, direction: FlowDirection | None) -> type[Self]:
        del direction
        return cls

    def fetch_content(self) -> MessageContent:
        """Fetch the message's content; `workmail_runtime.content` describes what it can do, and the errors."""
        from workmail_runtime.content import fetch_content  # a handler that needs only the event does not load it

        return fetch_content(self)

    def __repr__(self) -> str:
        """Show ids and counts only."""
        return (
            f"{type(self).__name__}(message_id={self.message_id!r}, invocation_id={self.invocation_id!r}, "
            f"direction={self.direction!s}, recipients={len(self.recipients)}, truncated={self.truncated})"
        )


class SynchronousEvent(Event):
    """An event of a synchronous rule: the mail waits for the reply, 15 seconds at most (T1)."""

    @property
    def reply(self) -> Reply:
        """An empty reply, to add actions to; without any, every recipient gets the fallback action (R5)."""
        return Reply.to(self.recipients, direction=self.direction, truncated=self.truncated)

    @classmethod
    def _of_direction(cls, direction: FlowDirection | None) -> type[Any]:
        if cls is SynchronousEvent:
            return _BY_DIRECTION.get(direction, cls)
        return cls


class InboundEvent(SynchronousEvent):
    """A synchronous event of mail to the organization; its reply has the two spam actions (R2)."""

    declared_direction = FlowDirection.INBOUND

    @property
    def reply(self) -> InboundReply:
        """An empty reply, to add actions to; without any, every recipient gets the fallback action (R5)."""
        return InboundReply.to(self.recipients, direction=self.direction, truncated=self.truncated)


class OutboundEvent(SynchronousEvent):
    """A synchronous event of mail from the organization."""

    declared_direction = FlowDirection.OUTBOUND


class AsynchronousEvent(Event):
    """An event of an asynchronous rule: the mail is delivered without waiting, and no reply is read (R10, T4)."""

    mail_waits = False


_BY_DIRECTION: dict[FlowDirection | None, type[SynchronousEvent]] = {
    FlowDirection.INBOUND: InboundEvent,
    FlowDirection.OUTBOUND: OutboundEvent,
}


class _Reader:
    """Reads fields by path and collects what is wrong, so that one error lists all of it."""

    def __init__(self, raw: object) -> None:
        self.raw = raw
        self.problems: list[str] = []

    def _problem(self, path: str, found: object, allowed: str) -> None:
        kind = "nothing" if found is None else f"a {type(found).__name__}"
        self.problems.append(f"{path}: found {kind}, expected {allowed}")

    def _get(self, path: str, *, required: bool) -> object:
        """Return the value at `path`, or None; a wrong object on the way is reported once, by its own path."""
        node, at = self.raw, "$"
        for name in path.split(".")[1:]:
            if not isinstance(node, dict):
                if (required or node is not None) and not any(p.startswith(f"{at}: ") for p in self.problems):
                    self._problem(at, node, "an object")
                return _REPORTED
            node, at = node.get(name), f"{at}.{name}"
        return node

    def text(self, path: str, *, required: bool = False) -> str | None:
        found = self._get(path, required=required)
        if isinstance(found, str) or (found is None and not required) or found is _REPORTED:
            return found if isinstance(found, str) else None
        self._problem(path, found, "a string")
        return None

    def recipients(self) -> tuple[str, ...]:
        path = "$.envelope.recipients"
        found = self._get(path, required=True)
        if found is _REPORTED:
            return ()
        if not isinstance(found, list):
            self._problem(path, found, "a list of objects")
            return ()
        read = []
        for index, node in enumerate(found):
            address = node.get("address") if isinstance(node, dict) else None
            if isinstance(address, str):
                read.append(address)
            elif isinstance(node, dict):
                self._problem(f"{path}[{index}].address", address, "a string")
            else:
                self._problem(f"{path}[{index}]", node, "an object")
        return tuple(read)

    def message_id(self) -> str | None:
        found = self.text("$.messageId")
        if found is not None and not re.fullmatch(MESSAGE_ID_PATTERN, found):
            self.problems.append(f"$.messageId: found other characters or length, expected {MESSAGE_ID_PATTERN} (E8)")
        return found

    def truncated(self) -> bool:
        found = self._get("$.truncated", required=False)
        if found is None or found is _REPORTED or isinstance(found, bool):
            return found is True
        self._problem("$.truncated", found, "true or false")
        return False

    def direction(self, declared: FlowDirection | None) -> FlowDirection | None:
        found = self.text("$.flowDirection")
        if found is None:
            return declared
        if found not in tuple(FlowDirection):
            self.problems.append(f"$.flowDirection: found another word, expected {' or '.join(FlowDirection)} (E1)")
            return declared
        direction = FlowDirection(found)
        if declared not in (None, direction):
            self.problems.append(
                f"$.flowDirection: found {direction}, but the handler is declared for {declared}: "
                f"give the function to {declared} rules only, or declare it for both directions"
            )
        return direction


_REPORTED = object()
