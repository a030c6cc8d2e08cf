"""PublishEvent as a plain function: what reaches EventBridge, and its failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.rules.stub_services import StubServices, new_message, running_services
from workmail_rules.publish_event import run
from workmail_rules.step_errors import StepError
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError
from workmail_runtime.event import AsynchronousEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

BUS = "arn:aws:events:eu-west-1:111122223333:event-bus/mail"
TAKEN = {"FailedEntryCount": 0, "Entries": [{"EventId": "11710aed"}]}


def failed(code: str) -> dict[str, Any]:
    return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "of alice@partner.example"}]}


CONFIGURATION: dict[str, Any] = {
    "bus": BUS,
    "source": "workmail.rules",
    "detail_type": "WorkMail Message",
    "organization_id": "m-0123456789abcdef0123456789abcdef",
    "addresses": False,
    "subject": False,
}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServices]:
    with running_services(monkeypatch) as services:
        yield services


def test_an_event_has_the_summary_as_its_detail(services: StubServices) -> None:
    services.answer("PutEvents", TAKEN)
    message = new_message()
    run(message, **CONFIGURATION)
    ((entry,),) = [each["Entries"] for each in services.arguments("PutEvents")]
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == (BUS, "workmail.rules", "WorkMail Message")
    assert json.loads(entry["Detail"])["messageId"] == "00aabbcc-1122-3344-5566-77889900aabb"
    assert "example" not in entry["Detail"]
    assert message.notes == ["event 11710aed published"]


@pytest.mark.fact("E7")
def test_a_retry_of_the_invocation_publishes_nothing_more(services: StubServices) -> None:
    services.answer("PutEvents", TAKEN)
    run(new_message(), **CONFIGURATION)
    again = new_message()
    run(again, **CONFIGURATION)
    assert services.operations == ["PutEvents"]
    assert again.notes == ["event 11710aed published"]


@pytest.mark.fact("T4")
def test_it_runs_in_an_asynchronous_rule(services: StubServices) -> None:
    services.answer("PutEvents", TAKEN)
    run(new_message(kind=AsynchronousEvent), **CONFIGURATION)
    assert services.operations == ["PutEvents"]


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "InternalException"])
def test_an_entry_that_failed_for_now_is_put_again(services: StubServices, code: str) -> None:
    services.answer("PutEvents", failed(code), TAKEN)
    run(new_message(), **CONFIGURATION)
    assert services.operations == ["PutEvents", "PutEvents"]


def test_an_entry_is_put_three_times_at_most(services: StubServices) -> None:
    services.answer("PutEvents", failed("ThrottlingException"))
    with pytest.raises(StepError, match=r"^EventBridge did not take the event: ThrottlingException$"):
        run(new_message(), **CONFIGURATION)
    assert len(services.calls) == 3


def test_it_does_not_wait_past_its_time(services: StubServices) -> None:
    services.answer("PutEvents", failed("ThrottlingException"))
    with pytest.raises(StepError, match="ThrottlingException"):
        run(new_message(left_s=0.65), **CONFIGURATION)
    assert len(services.calls) == 1


def test_an_entry_that_failed_for_good_is_an_error_without_the_services_text(services: StubServices) -> None:
    services.answer("PutEvents", failed("NotAuthorizedForSourceException"))
    with pytest.raises(StepError, match=r"^EventBridge did not take the event: NotAuthorizedForSourceException$"):
        run(new_message(), **CONFIGURATION)
    assert services.operations == ["PutEvents"]
    assert services.done == {}


@pytest.mark.parametrize("answer", [{}, {"Entries": []}, {"Entries": [{}]}, {"Entries": "all"}])
def test_an_answer_without_an_entry_is_an_error(services: StubServices, answer: dict[str, Any]) -> None:
    services.answer("PutEvents", answer)
    with pytest.raises(StepError, match="an answer without an entry"):
        run(new_message(), **CONFIGURATION)


def test_a_refused_call_and_an_unreachable_service_are_errors(services: StubServices) -> None:
    services.answer("PutEvents", (400, {"__type": "AccessDeniedException"}), (503, {}), b"<html>")
    with pytest.raises(ServiceError, match="AccessDeniedException"):
        run(new_message(), **CONFIGURATION)
    with pytest.raises((ServiceError, ServiceUnreachableError), match="503"):
        run(new_message(), **CONFIGURATION)
    with pytest.raises(ValueError, match="Expecting value"):
        run(new_message(), **CONFIGURATION)
