"""What the steps of one invocation share: event, content, outcomes, and what is done once."""

from __future__ import annotations

import time

from workmail_rules.metrics import Metrics
from workmail_rules.outcomes import Outcomes
from workmail_rules.step_errors import StepError
from workmail_runtime.event import SynchronousEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from workmail_runtime.content import MessageContent
    from workmail_runtime.edit import MessageEditor
    from workmail_runtime.event import Event

ANSWER_S: Final = 0.5
"""The time kept for the answer after the last step."""

PUT_S: Final = 1.5
"""The time kept for putting an edited message: an upload to S3 and a call to WorkMail."""

_ENDLESS_S: Final = 24 * 60 * 60.0


class Conversation:
    """One message and its recipients, over all steps of an invocation.

    Args:
        event: A `SynchronousEvent`, or an `AsynchronousEvent`, on which nothing can be decided or edited (C4, R10).
        edits: Whether a step may edit, so that time is kept to put the message.
        content: The message's content, for tests; otherwise it is fetched when the first step asks for it.
    """

    def __init__(self, event: Event, *, edits: bool = False, content: MessageContent | None = None) -> None:
        self.event = event
        self.metrics = Metrics()
        # An asynchronous event has no reply: decisions on it are refused before they get here.
        self.outcomes = Outcomes(event if isinstance(event, SynchronousEvent) else SynchronousEvent(**_fields(event)))
        self._content = content
        self._content_error: Exception | None = None
        self._editor: MessageEditor | None = None
        context = event.context
        left_s = _ENDLESS_S if context is None else context.get_remaining_time_in_millis() / 1000
        self.deadline = time.monotonic() + left_s - ANSWER_S - (PUT_S if edits else 0)

    @property
    def content(self) -> MessageContent:
        """The message's content, fetched once; an error of the first fetch is everybody's."""
        if self._content_error is not None:
            raise self._content_error
        if self._content is None:
            try:
                self._content = self.event.fetch_content()
            except Exception as error:
                self._content_error = error
                raise
        return self._content

    @property
    def parsed(self) -> MessageEditor:
        """The editor that all steps share, to look at the message only."""
        if self._editor is None:
            self._editor = self.content.edit()
        return self._editor

    @property
    def editor(self) -> MessageEditor:
        """The editor that all steps share."""
        self.require_synchronous("an edit")
        return self.parsed

    def put(self, *, must: bool) -> bool:
        """Put the edited message, once and only if it changed and somebody gets it.

        Args:
            must: Whether a refused update (C7, C8) fails the invocation.

        Returns:
            Whether the message is as the steps want it; not if the update was refused.
        """
        if self._editor is None or not self._editor.changed or not self.outcomes.left:
            return True
        from workmail_runtime.content import UpdateOutcome, WhenRefused

        when_refused = WhenRefused.FAIL if must else WhenRefused.GO_ON
        return self.content.put(self._editor, when_refused=when_refused).outcome is not UpdateOutcome.REFUSED

    def require_synchronous(self, what: str) -> None:
        """Refuse what has no effect on mail that does not wait (C4, R10)."""
        if not self.event.mail_waits:
            message = f"{what} has no effect in an asynchronous rule (C4, R10): run the rule synchronously"
            raise StepError(message)

    def once(self, name: str, do: Callable[[], Any]) -> Any:
        """Do something once for the invocation; see `Message.once`."""
        from workmail_rules.once import once  # a rule without side effects does not load it

        return once(self.event, name, do, deadline=self.deadline)


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in SynchronousEvent._fields}
