"""What the runtime raises. No message holds an address, a subject or content: Lambda logs what a handler raises."""

from __future__ import annotations

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class WorkMailRuntimeError(Exception):
    """The base of every error of this package."""


class EventError(WorkMailRuntimeError):
    """The function got something else than a message flow event (E1, E2); nothing was done yet.

    Attributes:
        problems: Each problem with the path of its field, for example `$.envelope.recipients[0].address: …`.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"not a WorkMail message flow event: {'; '.join(self.problems)}")


class ReplyError(WorkMailRuntimeError):
    """The reply would be malformed, which fails the invocation (R8); raised where the mistake is made."""


class DirectionError(ReplyError, AttributeError):
    """The message's direction does not have the action (R2)."""
