"""A side effect happens once per invocation, however often the function runs (E7)."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.rules.running import conversation_of, inbound, step
from workmail_rules import StepError, once
from workmail_rules.run_steps import run_steps
from workmail_rules.step_errors import BusyError
from workmail_runtime.content_errors import ServiceUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_rules import Message

pytestmark = pytest.mark.fact("E7")


def run_once(do: Callable[[], Any], *, left_s: float = 14.0, invocation: str = "one") -> Any:
    """Run a rule of one step that does something once; return what it got."""
    got: list[Any] = []
    event = inbound("a@example.com", left_s=left_s, invocationId=invocation)
    run_steps(conversation_of(event), [step(lambda m: got.append(m.once("work", do)), name="Step", must=True)])
    return got[0]


def test_a_retry_gets_what_the_first_run_returned(once_table: Any) -> None:
    done: list[int] = []

    def work() -> dict[str, int]:
        done.append(1)
        return {"count": len(done)}

    assert [run_once(work), run_once(work), run_once(work, invocation="other")] == [
        {"count": 1},
        {"count": 1},
        {"count": 2},
    ]
    item = once_table.get_item(Key={"id": "other/Step/work"})["Item"]
    assert (item["done"], set(item)) == ('{"count": 2}', {"id", "done", "expires"})
    assert time.time() + 23 * 3600 < int(item["expires"]) < time.time() + 25 * 3600


def test_it_is_not_done_again_when_a_later_step_failed(once_table: Any) -> None:
    done: list[str] = []

    def work(message: Message) -> None:
        message.once("work", lambda: done.append("x"))

    def fail(_: Message) -> None:
        raise StepError("first attempt")

    event = inbound("a@example.com", invocationId="one")
    with pytest.raises(StepError):
        run_steps(conversation_of(event), [step(work, must=True), step(fail, must=True)])
    run_steps(conversation_of(event), [step(work, must=True)])
    assert done == ["x"]


def test_what_raises_is_not_done(once_table: Any) -> None:
    results = iter([ValueError("no"), "yes"])

    def work() -> object:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    with pytest.raises(StepError, match="ValueError"):
        run_once(work)
    assert run_once(work) == "yes"


def test_another_attempt_at_it_is_waited_for(once_table: Any) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow() -> str:
        entered.set()
        leave.wait(10)
        return "first"

    first = threading.Thread(target=run_once, args=(slow,))
    first.start()
    assert entered.wait(10)
    with pytest.raises(BusyError):
        run_once(lambda: "second")
    leave.set()
    first.join()
    assert run_once(lambda: "third") == "first"


def test_a_run_whose_process_ended_is_done_again_once_its_time_is_over(
    once_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise SystemExit

    with monkeypatch.context() as crashed:
        crashed.setattr(once, "_forget", lambda *_: None)
        with pytest.raises(SystemExit):
            run_once(die)
    with pytest.raises(BusyError):
        run_once(lambda: "too soon")
    now = time.time
    monkeypatch.setattr(once.time, "time", lambda: now() + 15)
    assert run_once(lambda: "again") == "again"


def test_a_claim_whose_answer_was_lost_is_its_own(once_table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = once.call

    def twice(service: str, operation: str, arguments: Any, **options: Any) -> Any:
        if "ConditionExpression" in arguments and operation == "UpdateItem":
            real(service, operation, arguments, **options)
        return real(service, operation, arguments, **options)

    monkeypatch.setattr(once, "call", twice)
    assert run_once(lambda: "done") == "done"


def test_the_end_of_its_time_does_not_keep_it_from_being_written_down(
    once_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = once.call

    def slow(service: str, operation: str, arguments: Any, **options: Any) -> Any:
        if "SET done" in arguments.get("UpdateExpression", ""):
            time.sleep(0.5)
        return real(service, operation, arguments, **options | {"deadline": None})

    monkeypatch.setattr(once, "call", slow)
    assert run_once(lambda: "done", left_s=2.3) == "done"
    assert run_once(lambda: "again") == "done"


def test_without_the_table_nothing_is_done(local_aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(once.ONCE_TABLE_VARIABLE, "steps")
    with pytest.raises(ServiceUnreachableError):
        run_once(lambda: done.append(1), left_s=2.6)
    assert done == []


@pytest.mark.fact("E2")
def test_an_older_edition_has_no_id_and_so_no_once() -> None:
    event = inbound("a@example.com", invocationId=None)
    done: list[int] = []
    work = step(lambda m: m.once("work", lambda: done.append(1)), name="work", must=True)
    run_steps(conversation_of(event), [work])
    run_steps(conversation_of(event), [work])
    assert done == [1, 1]
