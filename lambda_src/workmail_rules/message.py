"""What a step sees of a message, and what it may do with it."""

from __future__ import annotations

import time

from workmail_flow.address import address_key
from workmail_flow.vocabulary import FlowDirection, ReplyAction
from workmail_rules.outcomes import REST, Outcome
from workmail_rules.step_errors import OutOfTimeError, StepError
from workmail_rules.step_log import loggable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from workmail_rules.conversation import Conversation
    from workmail_runtime.edit import MessageEditor
    from workmail_runtime.edit.message_editor import Checkpoint
    from workmail_runtime.event import Event


class Message:
    """One message as one step sees it. Decisions and edits of the steps before are in it.

    Args:
        conversation: What all steps of the invocation share.
        step: The step's name, for the log and for what is done once.
        recipients: Those the step is for: left by the steps before, and matching its condition.
    """

    def __init__(self, conversation: Conversation, *, step: str, recipients: tuple[str, ...]) -> None:
        self._conversation = conversation
        self._step = step
        self._recipients = recipients
        self._outcomes_before = conversation.outcomes.checkpoint()
        self._edits_before: Checkpoint | None = None
        self.edit_may_be_lost = False
        """Whether it is no failure of the step if WorkMail refuses the edited message (C7, C8)."""
        self.notes: list[str] = []
        """Why the step did what it did, for the log; without addresses, subjects and content."""

    @property
    def event(self) -> Event:
        """The event as WorkMail sent it."""
        return self._conversation.event

    @property
    def direction(self) -> FlowDirection | None:
        """Which way the message travels; None in events of older editions (E2)."""
        return self.event.direction

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recipients that the step is for: those left by the steps before, and matching its condition.

        A truncated event leaves recipients out (E6); a step without condition on recipients is for them as well.
        """
        return tuple(address for address in self._recipients if address != REST)

    @property
    def is_for_rest(self) -> bool:
        """Whether the step is also for recipients that a truncated event leaves out (E6); `REST` stands for them."""
        return REST in self._recipients

    @property
    def raw(self) -> bytes:
        """The message's bytes as they came, before any edit; fetched when the first step asks for them.

        If an attempt before this one had its edits put and then failed, they are in the bytes (C4).
        """
        return self._conversation.content.raw

    @property
    def parsed(self) -> MessageEditor:
        """The message with the edits so far, to look at: headers, parts, attachments. Edit with `editor` only."""
        parsed = self._conversation.parsed
        if self._edits_before is None:
            self._edits_before = parsed.checkpoint()
        return parsed

    @property
    def editor(self) -> MessageEditor:
        """The message with the edits so far. What is edited is put once, after the last step.

        An edit goes to all recipients of the conversation that are left, also to those the step is not for.
        """
        self._conversation.require_synchronous("an edit")
        return self.parsed

    @property
    def has_edited(self) -> bool:
        """Whether the step has changed the message."""
        before = self._edits_before
        return before is not None and self._conversation.parsed.edit_count > before.edit_count

    @property
    def deadline(self) -> float:
        """The `time.monotonic()` at which the step has to be done: time for the steps' put and answer is kept."""
        return self._conversation.deadline

    @property
    def time_left_s(self) -> float:
        """The seconds left for the step; none left raises `OutOfTimeError`."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            message = "the time for the steps is over"
            raise OutOfTimeError(message)
        return left

    def bounce(self, text: str, recipients: Iterable[str] | None = None) -> int:
        """Refuse the message for recipients, by default all that the step is for; the sender gets `text` (R3).

        Args:
            text: At most `workmail_flow.bounce_text.MAX_BOUNCE_CHARACTERS`. If a reply has more than nine different
                texts, the others become the first one (R7).
            recipients: Some of those that the step is for.

        Returns:
            For how many of them. A bounce or drop by a step before stays.

        Raises:
            StepError: The text cannot be sent, or the step is not for one of the recipients.
        """
        return self._decide(Outcome(ReplyAction.BOUNCE, text), recipients)

    def drop(self, recipients: Iterable[str] | None = None) -> int:
        """Delete the message for recipients, without notice to anybody; as `bounce`."""
        return self._decide(Outcome(ReplyAction.DROP), recipients)

    def move_to_junk(self, recipients: Iterable[str] | None = None) -> int:
        """Deliver the message into the junk folder (inbound only, R2); as `bounce`, but a later step may change it."""
        return self._decide(Outcome(ReplyAction.MOVE_TO_JUNK), recipients)

    def bypass_spam_check(self, recipients: Iterable[str] | None = None) -> int:
        """Never deliver the message as junk (inbound only, R2); as `move_to_junk`."""
        return self._decide(Outcome(ReplyAction.BYPASS_SPAM_CHECK), recipients)

    def deliver(self, recipients: Iterable[str] | None = None) -> int:
        """Deliver the message as usual, which takes back what a step before said of junk; as `move_to_junk`."""
        return self._decide(Outcome(), recipients)

    def decide(self, action: str, *, text: str | None = None, recipients: Iterable[str] | None = None) -> int:
        """Decide by the reply's word for an action (R2); `text` is that of a bounce."""
        if action not in tuple(ReplyAction):
            message = f"found another action; allowed: {', '.join(ReplyAction)} (R2)"
            raise StepError(message)
        return self._decide(Outcome(ReplyAction(action), text), recipients)

    def copy_to(self, addresses: Iterable[str]) -> None:
        """Send the message to these addresses too, as Bcc; inbound, only to the organization's own (R6).

        WorkMail takes no reply with another inbound address: the step's class has to check it.

        Raises:
            StepError: One of them is no address, or there are more than 500 recipients (R9).
        """
        self._conversation.require_synchronous("a copy")
        self._conversation.outcomes.copy_to(addresses)

    def once(self, name: str, do: Callable[[], Any]) -> Any:
        """Do something once for the invocation, however often the function runs (E7), and return what it returned.

        A retry gets the JSON value of the first run. What raises counts as not done. If a run ends in the middle,
        which only the end of its process can do, it is done again once the first run's time is over.

        Args:
            name: Of this in the step.
            do: What to do; returns a JSON value.

        Raises:
            BusyError: Another attempt does it at this moment. The invocation fails, and WorkMail tries again.
        """
        return self._conversation.once(f"{self._step}/{name}", do)

    def note(self, text: str) -> None:
        """Say why the step does what it does; without subjects and content. Words with an `@` are left out."""
        self.notes.append(loggable(text))

    def count(self, metric: str, value: float = 1) -> None:
        """Count something in a CloudWatch metric of the step; what a failed invocation counted does not count."""
        self._conversation.metrics.add(self._step, metric, value)

    def roll_back(self) -> None:
        """Take back what the step has decided and edited: the mail goes on as if it had not run."""
        self._conversation.outcomes.roll_back(self._outcomes_before)
        if self._edits_before is not None:
            self._conversation.parsed.roll_back(self._edits_before)

    def _decide(self, outcome: Outcome, recipients: Iterable[str] | None) -> int:
        self._conversation.require_synchronous(f"the decision {outcome.action}")
        if self.direction is FlowDirection.OUTBOUND and outcome.action not in _BOTH_WAYS:
            message = f"{outcome.action} is for inbound messages only (R2)"
            raise StepError(message)
        decided = self._recipients if recipients is None else tuple(recipients)
        if others := {*map(address_key, decided)} - {*map(address_key, self._recipients)}:
            message = f"{outcome.action}: found {len(others)} addresses that the step is not for; decide for its own"
            raise StepError(message)
        count = self._conversation.outcomes.decide(outcome, decided)
        self.note(f"{outcome.action} for {count} recipients")
        return count


_BOTH_WAYS = frozenset({ReplyAction.BOUNCE, ReplyAction.DROP, ReplyAction.DEFAULT})
