"""What a step decides about a message, for the recipients it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workmail_constructs.stack_record import is_known
from workmail_flow.bounce_text import bounce_text_problem
from workmail_flow.vocabulary import ReplyAction

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Decision:
    """The base of the decisions; `Deliver()`, `Junk()`, `BypassSpamCheck()`, `Drop()` and `Bounce(text)` are those."""

    action: ClassVar[ReplyAction]

    @property
    def inbound_only(self) -> bool:
        """Whether outbound mail does not have it (R2)."""
        return self.action in (ReplyAction.MOVE_TO_JUNK, ReplyAction.BYPASS_SPAM_CHECK)

    def configuration(self) -> Mapping[str, object]:
        """Return the arguments of the message's `decide`."""
        return {"action": self.action.value}


@dataclass(frozen=True, slots=True)
class Bounce(Decision):
    """Refuse the message; the sender gets the text (R3). Final: later steps do not see the recipient.

    Raises:
        ValueError: The text is empty, or longer than 1,000 characters.
    """

    text: str
    action = ReplyAction.BOUNCE

    def __post_init__(self) -> None:
        # What a token stands for is only known to the deployment; the running step checks it.
        if is_known(str(self.text)) and (problem := bounce_text_problem(self.text)):
            raise ValueError(f"Bounce: {problem}")

    def configuration(self) -> Mapping[str, object]:
        """Return the arguments of the message's `decide`."""
        return {"action": self.action.value, "text": self.text}


@dataclass(frozen=True, slots=True)
class Drop(Decision):
    """Delete the message, without notice to anybody. Final: later steps do not see the recipient."""

    action = ReplyAction.DROP


@dataclass(frozen=True, slots=True)
class Junk(Decision):
    """Deliver the message into the junk folder; inbound only. A later step may change it."""

    action = ReplyAction.MOVE_TO_JUNK


@dataclass(frozen=True, slots=True)
class BypassSpamCheck(Decision):
    """Never deliver the message as junk; inbound only. A later step may change it."""

    action = ReplyAction.BYPASS_SPAM_CHECK


@dataclass(frozen=True, slots=True)
class Deliver(Decision):
    """Deliver the message as usual, which takes back what an earlier step said of junk."""

    action = ReplyAction.DEFAULT


def decisions(**given: Decision | None) -> dict[str, Decision | None]:
    """Return a step's decisions by argument.

    Raises:
        TypeError: An argument is something other than a decision.
    """
    for argument, decision in given.items():
        if decision is not None and not isinstance(decision, Decision):
            raise TypeError(
                f"{argument}: found {decision!r}; give Bounce(text), Drop(), Junk(), BypassSpamCheck() or Deliver()"
            )
    return given


def configured(given: Mapping[str, Decision | None]) -> dict[str, object]:
    """Return a step's decisions as its running side reads them: the arguments of `decide`, or None."""
    return {argument: decision and decision.configuration() for argument, decision in given.items()}
