"""Decorators that make a plain Lambda handler of a function from event to reply."""

from __future__ import annotations

import logging
from functools import wraps

from workmail_flow.judge_reply import judge_reply
from workmail_flow.metrics import REPLIES, TIME_LEFT
from workmail_flow.vocabulary import FlowDirection
from workmail_runtime.errors import ReplyError
from workmail_runtime.event import AsynchronousEvent, InboundEvent, OutboundEvent, SynchronousEvent
from workmail_runtime.metrics import begin, count, write_counts
from workmail_runtime.reply import Reply

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from workmail_runtime.event import Event
    from workmail_runtime.lambda_context import LambdaContext

    ReplyDict = dict[str, Any]
    """A reply in the service's form (R1)."""

    _E = TypeVar("_E", bound=SynchronousEvent)

    class LambdaHandler(Protocol):
        """What Lambda calls; `__wrapped__` is the function as it was written."""

        @property
        def __wrapped__(self) -> Callable[..., Any]:
            """The function as it was written, for tests that give it an event."""
            ...

        def __call__(self, event: object, context: LambdaContext | None = None, /) -> Any:
            """Handle one invocation, given the decoded event and Lambda's context."""


_logger = logging.getLogger("workmail_runtime")


def synchronous(function: Callable[[SynchronousEvent], Reply | ReplyDict], /) -> LambdaHandler:
    """Make the handler of a synchronous rule: it gets the parsed event, and its reply is checked on return.

    Args:
        function: Gets an `InboundEvent` or an `OutboundEvent`, by the event's direction; a plain `SynchronousEvent` for
            an older edition, which has none (E2). Returns a `Reply`, or a dict in the service's form.

    The handler raises `EventError` for a malformed event, before the function is called, and `ReplyError` for a reply
    that is not valid (R1-R9). Either fails the invocation: WorkMail tries again or takes the fallback action (T2).
    """
    return _answering(function, SynchronousEvent)


def synchronous_inbound(function: Callable[[InboundEvent], Reply | ReplyDict], /) -> LambdaHandler:
    """Make the handler of synchronous inbound rules only, as `synchronous` does.

    An event of an older edition, which has no direction (E2), is taken to be inbound; an outbound one raises
    `EventError`.
    """
    return _answering(function, InboundEvent)


def synchronous_outbound(function: Callable[[OutboundEvent], Reply | ReplyDict], /) -> LambdaHandler:
    """Make the handler of synchronous outbound rules only, as `synchronous` does.

    An event of an older edition, which has no direction (E2), is taken to be outbound; an inbound one raises
    `EventError`.
    """
    return _answering(function, OutboundEvent)


def asynchronous(function: Callable[[AsynchronousEvent], None], /) -> LambdaHandler:
    """Make the handler of an asynchronous rule: it gets the parsed event, and no reply is read (R10).

    The handler raises `EventError` for a malformed event, before the function is called. A failure does not affect the
    delivery (T4): Lambda tries again, and then sends the event to the function's on-failure destination.
    """

    @wraps(function)
    def handler(event: object, context: LambdaContext | None = None) -> None:
        begin()
        try:
            parsed = AsynchronousEvent.parse(event, context)
            function(parsed)
            _logger.info("handled %s", _ids(parsed))
        finally:
            write_counts()

    return handler


def _answering(function: Callable[[_E], Reply | ReplyDict], kind: type[_E]) -> LambdaHandler:
    @wraps(function)
    def handler(event: object, context: LambdaContext | None = None) -> ReplyDict:
        begin()
        try:
            parsed = kind.parse(event, context)
            answer = _checked(function(parsed), parsed)
            _count_answer(answer, context)
            return answer
        finally:
            write_counts()

    return handler


def _checked(reply: object, event: SynchronousEvent) -> ReplyDict:
    """Return the reply in the service's form, judged as the service would."""
    answer = reply.to_dict() if isinstance(reply, Reply) else reply
    if not isinstance(answer, dict):
        message = f"the handler returned a {type(answer).__name__}; return event.reply with its actions, for example "
        raise ReplyError(message + "event.reply.default_for_all()")
    verdict = judge_reply(
        answer,
        # An older edition has no direction (E2); inbound allows every action.
        direction=event.direction or FlowDirection.INBOUND,
        recipients=event.recipients,
        size=_size(answer),
    )
    if verdict.errors:
        raise ReplyError("; ".join(f"{error.path}: {error.message}" for error in verdict.errors))
    for finding in verdict.findings:
        _logger.warning("reply %s: %s (%s)", finding.path, finding.message, _ids(event))
    if _logger.isEnabledFor(logging.INFO):
        _logger.info("answered %s actions=%s", _ids(event), ",".join(a["action"]["type"] for a in answer["actions"]))
    return answer


def _count_answer(answer: ReplyDict, context: LambdaContext | None) -> None:
    for action in {entry["action"]["type"] for entry in answer["actions"]}:
        count(REPLIES[action])
    if context is not None:
        count(TIME_LEFT, context.get_remaining_time_in_millis())


def _size(answer: ReplyDict) -> int:
    """Count the bytes that the runtime client sends; it writes JSON without ASCII escapes."""
    import json  # the runtime client has it loaded

    try:
        return len(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the reply cannot be written as JSON: {type(error).__name__}"
        raise ReplyError(message) from error


def _ids(event: Event) -> str:
    return (
        f"invocation_id={event.invocation_id} message_id={event.message_id} direction={event.direction} "
        f"recipients={len(event.recipients)}"
    )
