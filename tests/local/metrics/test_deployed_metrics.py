"""What deployed functions count is in the local CloudWatch, as it would be in CloudWatch."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("metrics-app")

APP = Path(__file__).parent / "metrics_app"
OUTSIDER = "carol@example.net"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    with WorkMailLocal.running(tmp_path_factory.mktemp("metrics"), time_scale=60) as running:
        running.deploy_app(APP)
        yield running


def send(local: WorkMailLocal, sender: str, *recipients: str, subject: str = "Agenda", **options: Any) -> SentMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), subject
    message.set_content("Hello")
    return local.send(message, **options)


def statistics(local: WorkMailLocal, name: str, namespace: str = "WorkMailRules", **dimensions: str) -> dict[str, Any]:
    """Return the statistics of a metric so far."""
    now = datetime.now(UTC)
    points = local.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=24 * 3600,
        Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
    )["Datapoints"]
    (found,) = points or [{"Sum": 0}]
    return dict(found)


def wait_for(local: WorkMailLocal, total: float, name: str, **where: str) -> dict[str, Any]:
    """Return the statistics of a metric once its sum is as expected: metrics come a moment after the mail."""
    deadline = time.monotonic() + 20
    while (found := statistics(local, name, **where))["Sum"] != total:
        assert time.monotonic() < deadline, f"{name} of {where} is {found}, not {total}"
        time.sleep(0.1)
    return found


def names(local: WorkMailLocal, function: str) -> set[str]:
    """Return the names of a function's metrics."""
    dimensions = [{"Name": "FunctionName", "Value": function}]
    found = local.client("cloudwatch").list_metrics(Namespace="WorkMailRules", Dimensions=dimensions)["Metrics"]
    return {each["MetricName"] for each in found}


def test_a_handlers_metrics_and_those_of_its_own(local: WorkMailLocal) -> None:
    first = send(local, OUTSIDER, "alice@example.com", "bob@example.com")
    second = send(local, OUTSIDER, "alice@example.com")
    assert first.succeeded, first.attempts
    assert second.succeeded, second.attempts
    default = wait_for(local, 2, "RepliesDefault", FunctionName="handler")
    assert (default["SampleCount"], default["Unit"]) == (2, "Count")
    wait_for(local, 1, "RepliesBounce", FunctionName="handler")
    wait_for(local, 2, "EditsMade", FunctionName="handler")
    wait_for(local, 1, "ColdStarts", FunctionName="handler")
    left = statistics(local, "TimeLeft", FunctionName="handler")
    assert left["Unit"] == "Milliseconds"
    assert 0 < left["Minimum"] <= left["Maximum"] < 14_000
    assert wait_for(local, 6, "Seen", namespace="Own")["SampleCount"] == 4
    lines = [line for line in (first.logs + second.logs).splitlines() if "WorkMailRules" in line]
    assert len(lines) == 2
    assert not any(word in line for line in lines for word in ("@", "alice", "bob", "carol", "Agenda"))


def test_steps_are_counted_together_and_each(local: WorkMailLocal) -> None:
    local.add_fault("content-not-found", times=1)
    sent = send(local, "alice@example.com", "dave@example.edu", direction="outbound")
    assert sent.succeeded, sent.attempts
    wait_for(local, 1, "StepsSkipped", FunctionName="steps")
    wait_for(local, 1, "StepsFailed", FunctionName="steps")
    wait_for(local, 1, "Failed", FunctionName="steps", Step="Prefix")
    assert names(local, "steps") == {
        "ColdStarts",
        "Failed",
        "RepliesDefault",
        "StepsFailed",
        "StepsSkipped",
        "TimeLeft",
    }


def test_metrics_that_are_off_are_neither_in_the_log_nor_in_cloudwatch(local: WorkMailLocal) -> None:
    before = statistics(local, "Seen", namespace="Own")["Sum"]
    sent = send(local, OUTSIDER, "erin@example.org")
    assert sent.succeeded, sent.attempts
    assert "WorkMailRules" not in sent.logs
    # The function's own metrics are there, so ours would be.
    wait_for(local, before + 3, "Seen", namespace="Own")
    assert names(local, "off") == set()
