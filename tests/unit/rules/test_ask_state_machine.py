"""AskStateMachine as a plain function: how it asks, how long it waits, and what it makes of the output."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.stub_services import StubServices, new_message, outcomes_of, running_services
from workmail_rules.ask_state_machine import _judged, execution_name, run
from workmail_rules.step_errors import StepError
from workmail_runtime.content_errors import ServiceError
from workmail_runtime.event import OutboundEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:Decide"
INVOCATION = "0123456789abcdef0123456789abcdef"
EXECUTION = f"arn:aws:states:eu-west-1:111122223333:execution:Decide:{INVOCATION}"
CONFIGURATION: dict[str, Any] = {
    "state_machine": MACHINE,
    "express": False,
    "name_suffix": "",
    "wait_s": None,
    "organization_id": "m-0123456789abcdef0123456789abcdef",
    "addresses": True,
    "subject": False,
}
EXPRESS = {**CONFIGURATION, "express": True}
STARTED = {"executionArn": EXECUTION, "startDate": 1}
RUNNING = {"status": "RUNNING"}
EXISTS = (400, {"__type": "ExecutionAlreadyExists"})


def action(kind: str, *recipients: str, text: str | None = None) -> dict[str, Any]:
    parameters = {} if text is None else {"parameters": {"bounceMessage": text}}
    who = {"recipients": list(recipients)} if recipients else {"allRecipients": True}
    return {"action": {"type": kind, **parameters}, **who}


def succeeded(*actions: dict[str, Any]) -> dict[str, Any]:
    return {"status": "SUCCEEDED", "output": json.dumps({"actions": actions})}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServices]:
    with running_services(monkeypatch) as services:
        services.answer("StartExecution", STARTED)
        yield services


@pytest.mark.fact("E7")
def test_the_name_of_the_execution_is_the_invocation_id(services: StubServices) -> None:
    services.answer("DescribeExecution", succeeded(action("DROP")))
    run(new_message(), **CONFIGURATION)
    (start,) = services.arguments("StartExecution")
    assert (start["name"], start["stateMachineArn"]) == (INVOCATION, MACHINE)
    assert json.loads(start["input"])["recipients"] == ["bob@corp.example", "carol@corp.example"]
    assert services.arguments("DescribeExecution") == [{"executionArn": EXECUTION}]


@pytest.mark.parametrize(("invocation_id", "suffix"), [("a-B_9", ""), ("a" * 80, ""), ("a", "-Second")])
def test_a_name_that_step_functions_takes_stays(invocation_id: str, suffix: str) -> None:
    assert execution_name(invocation_id, suffix) == invocation_id + suffix


@pytest.mark.parametrize("invocation_id", ["a b", "", "a" * 81, "a:b", "ä", "a\n", "\ud800"])
def test_another_name_is_hashed(invocation_id: str) -> None:
    name = execution_name(invocation_id, "")
    assert re.fullmatch("[0-9a-f]{64}", name)
    assert execution_name(invocation_id, "") == name


def test_other_invocations_and_other_steps_have_other_names() -> None:
    names = {execution_name(each, suffix) for each in ("a", "b", "a b", "a:b") for suffix in ("", "-Second")}
    assert len(names) == 8


def test_each_recipient_gets_what_the_output_says(services: StubServices) -> None:
    services.answer(
        "DescribeExecution", succeeded(action("BOUNCE", "bob@corp.example", text="No."), action("MOVE_TO_JUNK"))
    )
    message = new_message()
    run(message, **CONFIGURATION)
    assert outcomes_of(message) == {
        "actions": [
            {"action": {"type": "MOVE_TO_JUNK"}, "recipients": ["carol@corp.example"]},
            {"action": {"type": "BOUNCE", "parameters": {"bounceMessage": "No."}}, "allRecipients": True},
        ]
    }


@pytest.mark.fact("R5")
def test_recipients_that_no_action_covers_stay_as_the_steps_before_left_them(services: StubServices) -> None:
    services.answer("DescribeExecution", succeeded(action("DROP", "bob@corp.example")))
    message = new_message()
    message.move_to_junk()
    run(message, **CONFIGURATION)
    assert {each["action"]["type"] for each in outcomes_of(message)["actions"]} == {"DROP", "MOVE_TO_JUNK"}


@pytest.mark.fact("E6", "R4")
def test_all_recipients_are_also_those_that_a_truncated_event_leaves_out(services: StubServices) -> None:
    services.answer("DescribeExecution", succeeded(action("DEFAULT", "bob@corp.example"), action("DROP")))
    message = new_message("truncated")
    run(message, **CONFIGURATION)
    assert outcomes_of(message)["actions"][-1] == {"action": {"type": "DROP"}, "allRecipients": True}
    assert outcomes_of(message)["actions"][0]["recipients"] == ["bob@corp.example"]


@pytest.mark.fact("R6")
def test_an_address_that_is_no_recipient_gets_a_copy(services: StubServices) -> None:
    services.answer("DescribeExecution", succeeded(action("DEFAULT", "dora@corp.example")))
    message = new_message()
    run(message, **CONFIGURATION)
    assert "dora@corp.example" in str(outcomes_of(message))
    assert message.notes == ["1 copies"]


def test_it_looks_again_until_the_execution_has_decided(services: StubServices) -> None:
    not_seen_yet = (400, {"__type": "ExecutionDoesNotExist"})
    services.answer("DescribeExecution", not_seen_yet, RUNNING, {"status": "PENDING_REDRIVE"}, succeeded())
    run(new_message(), **CONFIGURATION)
    assert services.operations == ["StartExecution", *["DescribeExecution"] * 4]


@pytest.mark.fact("T2")
def test_an_execution_that_does_not_decide_in_time_fails_the_step_on_purpose(services: StubServices) -> None:
    services.answer("DescribeExecution", RUNNING)
    started = time.monotonic()
    with pytest.raises(StepError, match=r"^the execution has not decided yet$"):
        run(new_message(left_s=5), **CONFIGURATION)
    assert 3.5 < time.monotonic() - started < 4.5
    assert len(services.arguments("DescribeExecution")) <= 6


def test_it_waits_no_longer_than_it_should(services: StubServices) -> None:
    services.answer("DescribeExecution", RUNNING)
    started = time.monotonic()
    with pytest.raises(StepError, match="not decided yet"):
        run(new_message(), **{**CONFIGURATION, "wait_s": 1})
    assert time.monotonic() - started < 1.5


@pytest.mark.fact("E7")
def test_a_retry_finds_the_execution_by_its_arn(services: StubServices) -> None:
    services.answer("StartExecution", EXISTS)
    services.answer("DescribeExecution", succeeded(action("DROP")))
    message = new_message()
    run(message, **CONFIGURATION)
    assert services.arguments("DescribeExecution") == [{"executionArn": EXECUTION}]
    assert outcomes_of(message)["actions"] == [{"action": {"type": "DROP"}, "allRecipients": True}]
    assert services.done == {}


def test_the_input_of_a_retry_is_the_same(services: StubServices) -> None:
    services.answer("DescribeExecution", RUNNING)
    for _ in range(2):
        with pytest.raises(StepError):
            run(new_message(), **{**CONFIGURATION, "wait_s": 1})
    first, second = services.arguments("StartExecution")
    assert first == second


@pytest.mark.fact("E2")
def test_an_event_without_an_id_has_an_execution_without_a_name(services: StubServices) -> None:
    services.answer("DescribeExecution", succeeded())
    run(new_message("edition_oldest"), **CONFIGURATION)
    assert "name" not in services.arguments("StartExecution")[0]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_failed_is_an_error_without_its_cause(services: StubServices, status: str) -> None:
    services.answer("DescribeExecution", {"status": status, "error": "alice@partner.example", "cause": "Secret merger"})
    with pytest.raises(StepError, match=rf"^the execution has ended as {status}$"):
        run(new_message(), **CONFIGURATION)


@pytest.mark.parametrize("operation", ["StartExecution", "DescribeExecution"])
def test_a_refused_call_is_an_error(services: StubServices, operation: str) -> None:
    services.answer("DescribeExecution", RUNNING)
    services.answer(operation, (400, {"__type": "AccessDeniedException"}))
    with pytest.raises(ServiceError, match="AccessDeniedException"):
        run(new_message(), **CONFIGURATION)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (None, "the execution has no output; let it return a reply"),
        ("", "output is no JSON"),
        ("[" * 100_000, "output is no JSON"),
        ("null", r"no valid reply: \$: the reply is null"),
        ('{"actions": "all"}', r"\$.actions: `actions` is a string"),
        ('{"actions": [{"action": {"type": "ROUTE"}, "allRecipients": true}]}', "is not an action"),
        ('{"actions": [{"action": {"type": "BOUNCE"}, "allRecipients": true}]}', "a BOUNCE without a bounceMessage"),
        (json.dumps({"actions": [action("DROP", "dora@corp.example")]}), "names an address that is no recipient"),
        (json.dumps({"actions": [action("DROP"), action("DEFAULT")]}), "takes all recipients too"),
    ],
)
def test_an_output_that_is_no_reply_is_an_error_and_decides_nothing(
    services: StubServices, output: str | None, message: str
) -> None:
    services.answer("DescribeExecution", {"status": "SUCCEEDED"} | ({} if output is None else {"output": output}))
    seen = new_message()
    with pytest.raises(StepError, match=message) as raised:
        run(seen, **CONFIGURATION)
    assert "@" not in str(raised.value)
    assert outcomes_of(seen)["actions"] == [{"action": {"type": "DEFAULT"}, "allRecipients": True}]


@pytest.mark.fact("R2")
def test_an_action_of_the_other_direction_is_an_error() -> None:
    seen = new_message("outbound", kind=OutboundEvent)
    with pytest.raises(StepError, match="not an outbound action"):
        _judged(seen, json.dumps({"actions": [action("MOVE_TO_JUNK")]}), copies=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["DROP", "a@corp.example"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["actions", "action", "type", "recipients", "allRecipients", "parameters", "x"]),
            inner,
            max_size=4,
        )
    ),
)


@given(output=st.text() | JSON.map(json.dumps) | JSON.map(lambda each: json.dumps({"actions": each})))
def test_any_output_is_judged_or_refused(output: str) -> None:
    try:
        decided, _ = _judged(new_message(), output, copies=True)
    except StepError:
        return
    assert {position for _, _, positions in decided for position in positions} <= {0, 1}


def test_a_bounce_message_that_no_reply_can_carry_is_mended(services: StubServices) -> None:
    services.answer("DescribeExecution", succeeded(action("BOUNCE", text="No \ud800")))
    message = new_message()
    run(message, **CONFIGURATION)
    assert outcomes_of(message)["actions"][0]["action"]["parameters"] == {"bounceMessage": "No ?"}


@pytest.mark.fact("E7")
def test_an_express_execution_runs_once_and_the_retry_decides_the_same(services: StubServices) -> None:
    services.answer("StartSyncExecution", succeeded(action("DROP", "carol@corp.example")))
    replies = []
    for _ in range(2):
        message = new_message()
        run(message, **EXPRESS)
        replies.append(outcomes_of(message))
    assert services.operations == ["StartSyncExecution"]
    assert replies[0] == replies[1]
    assert "carol@corp.example" in str(replies[0])
    assert "@" not in json.dumps(services.done)


def test_an_express_execution_that_failed_runs_again_in_the_retry(services: StubServices) -> None:
    services.answer("StartSyncExecution", {"status": "FAILED"}, succeeded(action("DROP")))
    with pytest.raises(StepError, match="has ended as FAILED"):
        run(new_message(), **EXPRESS)
    run(new_message(), **EXPRESS)
    assert len(services.calls) == 2


def test_an_express_execution_cannot_add_recipients(services: StubServices) -> None:
    services.answer("StartSyncExecution", succeeded(action("DEFAULT", "dora@corp.example")))
    with pytest.raises(StepError, match="only a standard execution may"):
        run(new_message(), **EXPRESS)
    assert services.done == {}
