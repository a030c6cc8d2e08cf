"""Lambda's Invoke with an event of a message here: the function runs again, as an invocation of its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workmail_local.server.client import ApiFailedError
from workmail_local.server.daemon import Daemon
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "handlers"


def send(local: WorkMailLocal, subject: str = "hello") -> SentMessage:
    return local.send(f"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: {subject}\r\n\r\nhi\r\n".encode())


def invocation(sent: SentMessage) -> dict[str, Any]:
    return {"function": sent.detail["flows"][0]["rule"]["function"], "event": sent.events[0]}


def outcomes(sent: SentMessage) -> list[str]:
    return [attempt["outcome"] for attempt in sent.attempts]


def records(local: WorkMailLocal) -> list[dict[str, Any]]:
    sqs = local.client("sqs")
    url = sqs.get_queue_url(QueueName="again-failures")["QueueUrl"]
    found = []
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found.append(json.loads(message["Body"]))
    return found


@pytest.mark.fact("E7")
def test_its_retries_count_afresh_and_its_failure_is_reported_anew(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="again", synchronous=False)
    records(workmail_local)
    sent = send(workmail_local, "raise")
    first = sent.detail["flows"][0]["failureRecord"]["record"]
    workmail_local.daemon.client.post("/v1/invocations", invocation(sent))
    again = workmail_local.wait(sent.id)
    assert outcomes(again) == ["function-error"] * 6
    assert [attempt["number"] for attempt in again.attempts] == [1, 2, 3, 4, 5, 6]
    second = again.detail["flows"][0]["failureRecord"]["record"]
    assert records(workmail_local) == [first, second]
    assert [record["requestContext"]["approximateInvokeCount"] for record in (first, second)] == [3, 3]
    assert len(workmail_local.inbox("bob@example.com")) == 1


def test_the_age_of_its_event_counts_afresh(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="again", synchronous=False)
    workmail_local.add_fault("throttle")
    sent = send(workmail_local)  # throttled until the event is six hours old
    assert sent.detail["flows"][0]["failureRecord"]["record"]["requestContext"]["condition"] == "EventAgeExceeded"
    workmail_local.daemon.client.post("/v1/faults", method="DELETE")
    workmail_local.add_fault("throttle", times=2)
    workmail_local.daemon.client.post("/v1/invocations", invocation(sent))
    again = workmail_local.wait(sent.id)
    assert outcomes(again) == [*["throttled"] * len(sent.attempts), "throttled", "throttled", "replied"]
    assert again.succeeded


@pytest.mark.parametrize("wrong", [{}, {"event": []}, {"event": {"messageId": "x"}}, {"event": {"messageId": 7}}])
def test_other_events_and_functions_are_refused(workmail_local: WorkMailLocal, wrong: dict[str, Any]) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="again", synchronous=False)
    good = invocation(send(workmail_local))
    client = workmail_local.daemon.client
    with pytest.raises(ApiFailedError, match="the event is none that WorkMail sent to") as refused:
        client.post("/v1/invocations", {"function": good["function"], **wrong})
    assert refused.value.status == 422
    for unknown in (None, 7, f"{good['function']}:live"):
        with pytest.raises(ApiFailedError, match="Function not found") as refused:
            client.post("/v1/invocations", good | {"function": unknown})
        assert refused.value.status == 404


def test_a_reset_forgets_what_waits(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="again", synchronous=False, timeout_s=30)
    client = workmail_local.daemon.client
    quick = send(workmail_local)
    client.post("/v1/invocations", invocation(quick))
    client.post("/v1/reset")
    assert client.get("/v1/messages")["messages"] == []
    assert client.wait()


@pytest.mark.fact("E7")
def test_an_accepted_invocation_survives_a_kill(tmp_path: Path) -> None:
    options = ["--time-scale", "600"]  # six hours of Lambda's queue are longer than a restart
    daemon, _ = Daemon.start(tmp_path, options)
    local = WorkMailLocal(daemon, 600)
    try:
        local.deploy_handler(HANDLERS / "replies", name="again", synchronous=False, timeout_s=30)
        failed = send(local, "raise")
        assert outcomes(failed) == ["function-error"] * 3
        message = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: sleep 1.5\r\n\r\nhi\r\n"
        slow = daemon.client.send(
            message, direction="inbound", mail_from="ann@other.test", recipients=["bob@example.com"]
        )
        detail = daemon.client.message(slow)["flows"][0]
        running = {"function": detail["rule"]["function"], "event": detail["event"]}
        for body in (running, running, invocation(failed)):
            daemon.client.post("/v1/invocations", body)
        os.kill(daemon.pid, signal.SIGKILL)
        assert daemon.child is not None
        daemon.child.wait()
        daemon, _ = Daemon.start(tmp_path, options)
        local = WorkMailLocal(daemon, 600)
        done = local.wait(slow)
        assert outcomes(done).count("replied") == 3
        assert {done.logs.count(event["invocationId"]) for event in done.events} == {3}
        assert outcomes(local.wait(failed.id)).count("function-error") == 6
        assert len(local.inbox("bob@example.com")) == 2
    finally:
        daemon.stop()
