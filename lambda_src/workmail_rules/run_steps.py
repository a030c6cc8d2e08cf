"""Runs the steps of a rule, in order, on one message: one fetch of the content and at most one put."""

from __future__ import annotations

import json
import os
import time

from workmail_flow.metrics import FAILED, STEPS_FAILED, STEPS_SKIPPED
from workmail_flow.packed_steps import CONFIGURATION_FILE, CONFIGURATION_VERSION, ENVIRONMENT
from workmail_flow.record import Record
from workmail_flow.vocabulary import FlowDirection
from workmail_rules.condition import Condition
from workmail_rules.conversation import Conversation
from workmail_rules.message import Message
from workmail_rules.step_errors import BusyError, StepError
from workmail_rules.step_log import is_ours, shown_error
from workmail_rules.time_limit import run_within
from workmail_runtime.handlers import asynchronous, synchronous_inbound, synchronous_outbound
from workmail_runtime.metrics import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from workmail_runtime.event import AsynchronousEvent
    from workmail_runtime.handlers import LambdaHandler
    from workmail_runtime.reply import Reply


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
        Exception: A step that must not fail did, or the put of its edits: the invocation fails, and WorkMail tries
            again (T2).
    """
    log, metrics = conversation.log, conversation.metrics
    skipped = 0
    try:
        edited = []
        for index, step in enumerate(steps):
            if not conversation.outcomes.left:
                for other in steps[index:]:
                    log.add(other.name, "NOBODY_LEFT")
                    skipped += 1
                break
            recipients = step.condition.recipients(conversation.outcomes.left)
            if not recipients or not step.condition.is_for_sender(conversation.event):
                log.add(step.name, "NOT_FOR_THIS_MESSAGE")
                skipped += 1
            elif _run(conversation, step, recipients):
                edited.append(step)
        # Built before the put: what cannot be answered must not be edited.
        reply = conversation.outcomes.reply()
        _put(conversation, edited)
    except BaseException:
        metrics.keep_failures()
        raise
    else:
        # Only now: a retry counts them again.
        count(STEPS_SKIPPED, skipped)
        return reply
    finally:
        log.write()
        metrics.write()


def _run(conversation: Conversation, step: RuleStep, recipients: tuple[str, ...]) -> bool:
    """Run a step for recipients; return whether it fails if the edited message is not put."""
    message = Message(conversation, step=step.name, recipients=recipients)
    started = time.monotonic()

    def run() -> None:
        step.run(message, **step.configuration)
        if message.has_edited and not step.edits:
            text = "found an edit by a step without content access UPDATE; only a synchronous rule has it (C4)"
            raise StepError(text)

    try:
        run_within(conversation.deadline - started, run)
    except Exception as error:
        _fail(conversation, step, error, [*message.notes, shown_error(error)], ms=_ms_since(started))
        message.roll_back()
        return False
    conversation.log.add(step.name, "DONE", message.notes, ms=_ms_since(started))
    return message.has_edited and not message.edit_may_be_lost


def _put(conversation: Conversation, edited: Sequence[RuleStep]) -> None:
    """Put what was edited. A failure is a failure of these steps; other edits may be lost."""
    started = time.monotonic()
    try:
        run_within(conversation.put_deadline - started, conversation.put)
    except Exception as error:
        # Those that may fail first: the first that must not raises.
        for step in sorted(edited, key=lambda each: each.must):
            notes = ["the edited message was not put", shown_error(error)]
            _fail(conversation, step, error, notes, ms=_ms_since(started))


def _fail(conversation: Conversation, step: RuleStep, error: Exception, notes: Sequence[str], *, ms: float) -> None:
    """Count and log a step's failure, and raise if the invocation has to fail with it."""
    conversation.metrics.add(step.name, FAILED, 1)
    count(STEPS_FAILED)
    conversation.log.add(step.name, "FAILED", notes, ms=ms)
    # What another attempt is doing right now must not be left out by this one.
    if not (step.must or isinstance(error, BusyError)):
        return
    if is_ours(error):
        raise error
    # Lambda logs the text of what is raised, and another's text may hold addresses or content.
    message = f"{step.name}: {shown_error(error)}"
    raise StepError(message) from error


def _ms_since(started: float) -> float:
    return (time.monotonic() - started) * 1000


def _resolved(value: Any) -> Any:
    """Put the values of environment variables in; lists become tuples, so that a step may cache by them."""
    match value:
        case dict() if ENVIRONMENT in value:
            return os.environ[value[ENVIRONMENT]]
        case dict():
            return {key: _resolved(each) for key, each in value.items()}
        case list():
            return tuple(_resolved(each) for each in value)
        case _:
            return value
