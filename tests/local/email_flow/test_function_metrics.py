"""Metrics on their way to the local CloudWatch: gathered, sent to the right place, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from workmail_local.access_keys import AccessKeys
from workmail_local.email_flow import function_metrics
from workmail_local.email_flow.function_metrics import FunctionMetrics
from workmail_local.email_flow.loopback_aws import LoopbackAws

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEYS = AccessKeys.random()
Request = tuple[str, dict[str, Any]]


def arn(name: str, *, region: str = "us-east-1", account: str = "111122223333") -> str:
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


def log(value: float = 1, *, namespace: str = "Own", name: str = "Seen", at: float | None = None) -> str:
    definition = {"Namespace": namespace, "Dimensions": [["F"]], "Metrics": [{"Name": name, "Unit": "Count"}]}
    timestamp = int((time.time() if at is None else at) * 1000)
    return json.dumps({"_aws": {"Timestamp": timestamp, "CloudWatchMetrics": [definition]}, "F": "f", name: value})


def received(
    take: Callable[[FunctionMetrics], Awaitable[None]],
    *,
    status: int = 200,
    delay_s: float = 0,
) -> list[Request]:
    """Let `take` use metrics of a CloudWatch that answers so; return what it got: account, Region and request."""
    requests: list[Request] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["X-Amz-Target"] == "GraniteServiceVersion20100801.PutMetricData"
        await asyncio.sleep(delay_s)
        region = request.headers["Authorization"].split("/")[2]
        place = f"{request.headers['x-moto-account-id']}/{region}"
        requests.append((place, json.loads(await request.read())))
        return web.Response(status=status, text="{}")

    async def run() -> None:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        aws = LoopbackAws(f"http://127.0.0.1:{runner.addresses[0][1]}", KEYS)
        metrics = FunctionMetrics(aws)
        try:
            await take(metrics)
        finally:
            await metrics.close()
            await aws.close()
            await runner.cleanup()

    asyncio.run(run())
    return requests


def data(requests: list[Request]) -> list[dict[str, Any]]:
    return [datum for _, request in requests for datum in request["MetricData"]]


def test_metrics_of_a_moment_are_one_datum_of_their_functions_account_and_region() -> None:
    at = time.time() // 60 * 60

    async def take(metrics: FunctionMetrics) -> None:
        for value in (1, 5, 3):
            metrics.take(arn("f"), f"START\n{log(value, at=at + value)}\n")
        metrics.take(arn("f:live", region="eu-west-1", account="444455556666"), log(at=at))
        metrics.take(arn("f"), log(namespace="Other", at=at))
        metrics.take(arn("f"), "nothing to see\n")

    found = received(take)
    assert [(place, request["Namespace"]) for place, request in found] == [
        ("111122223333/us-east-1", "Own"),
        ("444455556666/eu-west-1", "Own"),
        ("111122223333/us-east-1", "Other"),
    ]
    assert found[0][1]["MetricData"] == [
        {
            "MetricName": "Seen",
            "Dimensions": [{"Name": "F", "Value": "f"}],
            "Unit": "Count",
            "Timestamp": at,
            "StorageResolution": 60,
            "StatisticValues": {"SampleCount": 3, "Sum": 9, "Minimum": 1, "Maximum": 5},
        }
    ]


def test_many_metrics_go_in_several_calls() -> None:
    async def take(metrics: FunctionMetrics) -> None:
        for index in range(400):
            metrics.take(arn("f"), log(name=f"Seen{index}"))

    found = received(take)
    assert sorted(len(request["MetricData"]) for _, request in found) == [100, 150, 150]
    assert {datum["MetricName"] for datum in data(found)} == {f"Seen{index}" for index in range(400)}


def test_metrics_come_without_a_close_and_again_later() -> None:
    async def take(metrics: FunctionMetrics) -> None:
        for _ in range(2):
            metrics.take(arn("f"), log())
            await asyncio.wait_for(metrics._sending or asyncio.sleep(0), 10)

    assert len(received(take)) == 2


def test_a_log_is_taken_at_once_while_cloudwatch_is_slow_and_closing_does_not_wait_for_it() -> None:
    spent: list[float] = []

    async def take(metrics: FunctionMetrics) -> None:
        started = time.monotonic()
        metrics.take(arn("f"), log())
        spent.append(time.monotonic() - started)
        await asyncio.sleep(0.5)
        metrics.take(arn("f"), log())

    started = time.monotonic()
    received(take, delay_s=30)
    assert spent[0] < 0.1
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_refusal_is_logged_and_what_comes_next_is_sent(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async def take(metrics: FunctionMetrics) -> None:
        for _ in range(2):
            metrics.take(arn("f"), log())
            await asyncio.wait_for(metrics._sending or asyncio.sleep(0), 10)

    assert len(received(take, status=status)) == 2
    assert f"CloudWatch did not take metrics of 111122223333: monitoring answered {status}" in caplog.text


def test_nobody_at_the_endpoint_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        aws = LoopbackAws("http://127.0.0.1:9", KEYS)
        metrics = FunctionMetrics(aws)
        metrics.take(arn("f"), log())
        await metrics.close()
        metrics.take(arn("f"), log())
        await metrics.close()
        await aws.close()

    asyncio.run(run())
    assert caplog.text.count("CloudWatch did not take metrics") == 1


def test_what_waits_and_what_is_sent_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = log()
    monkeypatch.setattr(function_metrics, "_MAX_WAITING_CHARACTERS", 5 * len(one))
    monkeypatch.setattr(function_metrics, "_MAX_GATHERED_POINTS", 3)

    async def take(metrics: FunctionMetrics) -> None:
        for _ in range(7):
            metrics.take(arn("f"), one)

    with caplog.at_level(logging.WARNING):
        found = received(take)
    assert [datum["StatisticValues"]["SampleCount"] for datum in data(found)] == [3]
    assert caplog.text.count("are dropped") == 2
