"""Runs the steps of a rule, in order, on one message: one fetch of the content and at most one put."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from contextlib import contextmanager

from workmail_flow.record import Record
from workmail_flow.vocabulary import FlowDirection
from workmail_rules.condition import Condition
from workmail_rules.conversation import Conversation
from workmail_rules.message import Message
from workmail_rules.step_errors import BusyError, OutOfTimeError, StepError
from workmail_runtime.handlers import asynchronous, synchronous_inbound, synchronous_outbound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from workmail_runtime.event import AsynchronousEvent
    from workmail_runtime.handlers import LambdaHandler
    from workmail_runtime.reply import Reply

_logger = logging.getLogger("workmail_rules")

CONFIGURATION_FILE: Final = "workmail_steps.json"
"""The file beside the handler's module that holds the steps' configuration."""

CONFIGURATION_VERSION: Final = 1

ENVIRONMENT: Final = "$environment"
"""In a configuration, `{"$environment": NAME}` stands for the value of an environment variable, which the deployment
sets: an ARN or a name that synth does not know."""

_OURS: Final = ("workmail_rules", "workmail_runtime")
"""The packages whose errors have a text that may be logged."""


class RuleStep(Record):
    """One step of a rule.

    Args:
        name: For logs and metrics, unique in the rule.
        run: The step's function; gets a `Message` and the configuration as keyword arguments.
        must: Whether its failure fails the invocation (T2); otherwise the mail goes on without it.
        edits: Whether it may edit the message.
        condition: Whose mail it is for.
        configuration: Its keyword arguments.
    """

    name: str
    run: Callable[..., object]
    must: bool
    edits: bool
    condition: Condition
    configuration: Mapping[str, Any]


def new_handler(module_file: str, functions: Sequence[Callable[..., object]]) -> LambdaHandler:
    """Return the Lambda handler of a rule with steps.

    Args:
        module_file: The handler's module; the configuration lies beside it.
        functions: The steps' functions, in their order.
    """
    path = os.path.join(os.path.dirname(module_file), CONFIGURATION_FILE)
    with open(path, encoding="utf-8") as file:
        configuration = json.load(file)
    if configuration["version"] != CONFIGURATION_VERSION:
        message = f"{CONFIGURATION_FILE}: found version {configuration['version']}, expected {CONFIGURATION_VERSION}"
        raise StepError(message)
    steps = tuple(
        RuleStep(
            name=entry["name"],
            run=function,
            must=entry["must"],
            edits=entry["edits"],
            condition=Condition(**_resolved(entry["condition"])),
            configuration=_resolved(entry["configuration"]),
        )
        for entry, function in zip(configuration["steps"], functions, strict=True)
    )
    if not configuration["synchronous"]:

        def look(event: AsynchronousEvent) -> None:
            run_steps(Conversation(event), steps)

        return asynchronous(look)

    def decide(event: Any) -> Reply:
        return run_steps(Conversation(event, edits=any(step.edits for step in steps)), steps)

    inbound = configuration["direction"] == FlowDirection.INBOUND
    return synchronous_inbound(decide) if inbound else synchronous_outbound(decide)


def run_steps(conversation: Conversation, steps: Sequence[RuleStep]) -> Reply:
    """Run the steps in order, put what they edited, and return the reply.

    Raises:
        Exception: What a step raised that must not fail, or what the put raised if such a step edits: the invocation
            fails, and WorkMail tries again (T2).
    """
    try:
        must_put = False
        for step in steps:
            if not conversation.outcomes.left:
                _logger.info("step %s and those behind it: nobody is left", step.name)
                break
            edited = _run(conversation, step)
            must_put = must_put or (edited and step.must)
        if not conversation.put(must=must_put):
            conversation.metrics.add("put", "Refused", 1)
        return conversation.outcomes.reply()
    finally:
        conversation.metrics.write()


def _run(conversation: Conversation, step: RuleStep) -> bool:
    """Run a step; return whether it has asked for the editor."""
    recipients = step.condition.recipients(conversation.outcomes.left)
    if not recipients or not step.condition.is_for_sender(conversation.event):
        _logger.info("step %s: not for this message", step.name)
        return False
    message = Message(conversation, step=step.name, recipients=recipients)
    started = time.monotonic()
    try:
        with _time_limit(message.time_left_s):
            step.run(message, **step.configuration)
    except Exception as error:
        conversation.metrics.add(step.name, "Failed", 1)
        fails = step.must or isinstance(error, BusyError)
        _logger.warning(
            "step %s failed, %s: %s",
            step.name,
            "and so does the invocation" if fails else "mail goes on",
            _shown(error),
        )
        if fails:
            raise
    notes = "; ".join(message.notes) or "nothing to do"
    _logger.info("step %s: %s (%.0f ms)", step.name, notes, (time.monotonic() - started) * 1000)
    return message.has_edited


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End what is inside after some seconds, with `OutOfTimeError`, wherever it waits.

    Only the main thread, in which Lambda runs handlers, gets signals; elsewhere nothing is ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: object) -> None:
        message = "the time for the step is over"
        raise OutOfTimeError(message)

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _resolved(value: Any) -> Any:
    """Put the values of environment variables in; lists become tuples, so that a step may cache by them."""
    match value:
        case {"$environment": str(name)}:
            return os.environ[name]
        case dict():
            return {key: _resolved(each) for key, each in value.items()}
        case list():
            return tuple(_resolved(each) for each in value)
        case _:
            return value


def _shown(error: Exception) -> str:
    """Return an error without what others may have put into its text: addresses, subjects, content."""
    name = type(error).__name__
    return f"{name}: {error}" if type(error).__module__.startswith(_OURS) else name
