"""What is not done in time ends, whatever it waits for and whatever it catches."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.rules.running import conversation_of, inbound, step
from workmail_rules.run_steps import run_steps
from workmail_rules.step_errors import OutOfTimeError
from workmail_rules.time_limit import run_shielded, run_within

if TYPE_CHECKING:
    from workmail_rules import Message


def hold(_: Message) -> None:
    """Wait for ever, and catch what every careless library catches."""
    while True:
        try:
            time.sleep(60)
        except Exception:  # noqa: S112 - as a library that tries again
            continue


def test_a_step_that_hangs_is_ended_and_mail_goes_on_before_lambda_ends_the_function() -> None:
    late: list[float] = []
    # Two seconds are kept for put and answer.
    conversation = conversation_of(inbound("a@example.com", left_s=2.2))
    started = time.monotonic()
    steps = step(hold), step(lambda message: late.append(message.time_left_s), name="late")
    reply = run_steps(conversation, steps)
    assert reply.to_dict()["actions"][0]["action"] == {"type": "DEFAULT"}
    assert (late, time.monotonic() - started < 2) == ([], True)


def test_a_step_that_must_not_fail_fails_the_invocation_in_time() -> None:
    with pytest.raises(OutOfTimeError, match="the time left"):
        run_steps(conversation_of(inbound("a@example.com", left_s=2.2)), [step(hold, must=True)])


def test_without_time_a_step_is_not_begun() -> None:
    began: list[int] = []
    with pytest.raises(OutOfTimeError, match="no time left to begin"):
        run_steps(conversation_of(inbound("a@example.com", left_s=1)), [step(lambda _: began.append(1), must=True)])
    assert began == []


def test_an_alarm_from_before_goes_on_afterwards() -> None:
    rang = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rang.set())
    outer = signal.setitimer(signal.ITIMER_REAL, 0.15)
    try:
        with pytest.raises(OutOfTimeError):
            run_within(0.05, lambda: time.sleep(10))
        assert rang.wait(5)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *outer)


def test_shielded_work_is_finished_and_what_follows_is_ended() -> None:
    done: list[str] = []

    def record() -> None:
        time.sleep(0.2)
        done.append("recorded")

    def work() -> None:
        run_shielded(record)
        time.sleep(10)
        done.append("too late")

    with pytest.raises(OutOfTimeError):
        run_within(0.05, work)
    assert done == ["recorded"]


def test_in_another_thread_nothing_is_ended() -> None:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(run_within(0.01, lambda: "done")))
    thread.start()
    thread.join()
    assert found == ["done"]
