"""`AskStateMachine`: an execution of Step Functions decides about a message."""

from __future__ import annotations

import json
import re
import time

from workmail_flow.judge_reply import judge_reply
from workmail_flow.vocabulary import ReplyAction, RuleAction
from workmail_rules.aws_call import call
from workmail_rules.message_summary import message_summary
from workmail_rules.outcomes import REST
from workmail_rules.step_errors import StepError
from workmail_runtime.content_errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from workmail_rules.message import Message

    Decided = list[tuple[str, str | None, list[int]]]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""The names of executions that every tool shows and every log can hold."""

_RUNNING: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 4.0
_LAST_LOOK_S: Final = 0.4
"""The time kept for the last look at an execution."""

_REST_POSITION: Final = -1

# No reply can have it (R2) and no rule can fall back to it (F13), so it marks recipients that no action covers (R5).
_NOT_COVERED: Final = RuleAction.RUN_LAMBDA


def run(
    message: Message,
    *,
    state_machine: str,
    express: bool,
    name_suffix: str,
    wait_s: float | None,
    organization_id: str,
    addresses: bool,
    subject: bool,
) -> None:
    """Start an execution, or find that of an earlier attempt, and do what its output says."""
    until = message.deadline if wait_s is None else min(message.deadline, time.monotonic() + wait_s)
    start = {
        "stateMachineArn": state_machine,
        "input": message_summary(message, organization_id=organization_id, addresses=addresses, subject=subject),
    }
    invocation_id = message.event.invocation_id
    if invocation_id is not None:
        start["name"] = execution_name(invocation_id, name_suffix)
    if express:
        # Kept for a retry, without addresses: an express execution has no ARN to find it by.
        decided, _ = message.once("execution", lambda: _judged(message, _ask_express(start, until), copies=False))
        copies: list[str] = []
    else:
        decided, copies = _judged(message, _ask_standard(start, until), copies=True)
    addressed = (*message.event.recipients, REST)
    for action, text, positions in decided:
        message.decide(action, text=text, recipients=[addressed[position] for position in positions])
    if copies:
        message.copy_to(copies)
        message.note(f"{len(copies)} copies")


def execution_name(invocation_id: str, suffix: str) -> str:
    """Return the name of the execution of an invocation: the same in every retry (E7)."""
    name = f"{invocation_id}{suffix}"
    if _NAME.fullmatch(name):
        return name
    from hashlib import sha256  # WorkMail's ids are names as they are

    return sha256(name.encode("utf-8", "replace")).hexdigest()


def _ask_standard(start: Mapping[str, str], until: float) -> str:
    wait = _FIRST_WAIT_S
    try:
        # Of a running execution with this name and input, this returns the ARN.
        arn = call("SFN", "StartExecution", start, deadline=until)["executionArn"]
    except ServiceError as error:
        if error.code != "ExecutionAlreadyExists":
            raise
        arn = f"{start['stateMachineArn'].replace(':stateMachine:', ':execution:', 1)}:{start['name']}"
        wait = 0
    while True:
        left = until - _LAST_LOOK_S - time.monotonic()
        time.sleep(max(min(wait, left), 0))
        wait = min(max(wait * 2, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        found = _described(arn, until)
        if found["status"] not in _RUNNING:
            return _output(found)
        if left <= 0 or time.monotonic() >= until - _LAST_LOOK_S:
            raise StepError("the execution has not decided yet")


def _described(arn: str, until: float) -> dict[str, Any]:
    try:
        return call("SFN", "DescribeExecution", {"executionArn": arn}, deadline=until)
    except ServiceError as error:
        # Step Functions may not see yet what it has just started.
        if error.code != "ExecutionDoesNotExist":
            raise
        return {"status": "RUNNING"}


def _ask_express(start: Mapping[str, str], until: float) -> str:
    return _output(call("SFN", "StartSyncExecution", start, deadline=until, host_prefix="sync-"))


def _output(found: Mapping[str, Any]) -> str:
    """Return the output of an execution that has ended. Its error and cause may hold anything, so they stay out."""
    status = found.get("status")
    if status != "SUCCEEDED":
        raise StepError(f"the execution has ended as {status}")
    output = found.get("output")
    if not isinstance(output, str):
        raise StepError("the execution has no output; let it return a reply")
    return output


def _judged(message: Message, output: str, *, copies: bool) -> tuple[Decided, list[str]]:
    """Judge an output as a reply; return what it decides, by positions of recipients, and who gets a copy."""
    if message.direction is None:
        raise StepError("the event does not give its direction (E2), so that an output cannot be judged (R2)")
    try:
        reply = json.loads(output)
    except (ValueError, RecursionError):
        raise StepError("the execution's output is no JSON") from None
    recipients = [*message.recipients, *([REST] if message.is_for_rest else [])]
    verdict = judge_reply(reply, direction=message.direction, recipients=recipients, fallback=_NOT_COVERED)
    if verdict.errors:
        problems = "; ".join(f"{each.path}: {each.message}" for each in verdict.errors[:3])
        raise StepError(f"the execution's output is no valid reply: {problems}")
    positions = {address: index for index, address in enumerate(message.event.recipients)} | {REST: _REST_POSITION}
    decided: dict[tuple[str, str | None], list[int]] = {}
    added: list[str] = []
    for each in verdict.decisions:
        if each.action is ReplyAction.BOUNCE and not (each.bounce_message or "").strip():
            raise StepError("the execution's output has a BOUNCE without a bounceMessage (R3); say why")
        if each.added:
            if each.action is not ReplyAction.DEFAULT or not copies:
                raise StepError(_NO_COPY)
            added.append(each.recipient)
        elif each.action is not _NOT_COVERED:
            effect = (each.action.value, _encodable(each.bounce_message))
            decided.setdefault(effect, []).append(positions[each.recipient])
    return [(action, text, where) for (action, text), where in decided.items()], added


_NO_COPY: Final = (
    "the execution's output names an address that is no recipient the step is for; only a standard execution may, and "
    "only with DEFAULT, which sends a copy there (R6)"
)


def _encodable(text: str | None) -> str | None:
    """Replace what a reply cannot carry: half of a surrogate pair, which JSON can spell."""
    return None if text is None else text.encode("utf-8", "replace").decode()
