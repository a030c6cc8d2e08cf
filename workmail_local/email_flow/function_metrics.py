"""Makes metrics of the loopback CloudWatch from what functions write into their logs, as CloudWatch Logs does."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from workmail_local.embedded_metrics import MetricPoint, may_have_metrics, read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workmail_local.email_flow.loopback_aws import LoopbackAws

_log = logging.getLogger(__name__)

_PUT_METRIC_DATA: Final = "GraniteServiceVersion20100801.PutMetricData"

_GATHER_S: Final = 0.2
"""Seconds for which metrics are gathered into one call: mail comes in storms, and moto keeps all that it gets."""

_MAX_WAITING_CHARACTERS: Final = 4 * 1024 * 1024
"""Of logs that wait to be read; further ones are dropped."""

_MAX_GATHERED_POINTS: Final = 20_000
_MAX_DATA_PER_CALL: Final = 150
_CLOSE_LIMIT_S: Final = 2.0


@dataclass(slots=True)
class _Statistics:
    """The statistics of a metric, as PutMetricData takes them."""

    count: int = 0
    total: float = 0
    least: float = math.inf
    most: float = -math.inf

    def add(self, values: tuple[float, ...]) -> None:
        self.count += len(values)
        self.total += sum(values)
        self.least = min(self.least, *values)
        self.most = max(self.most, *values)

    def to_dict(self) -> dict[str, float]:
        return {"SampleCount": self.count, "Sum": self.total, "Minimum": self.least, "Maximum": self.most}


class FunctionMetrics:
    """Sends the metrics of functions' logs in the background; a log that cannot be sent is lost, and no mail waits.

    Args:
        aws: The loopback AWS.
    """

    def __init__(self, aws: LoopbackAws) -> None:
        self._aws = aws
        self._waiting: list[tuple[str, str]] = []
        self._waiting_characters = 0
        self._closing = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def take(self, function_arn: str, log: str) -> None:
        """Take the log of an invocation; its metrics belong to the function's account and Region."""
        if not may_have_metrics(log) or self._closing.is_set():
            return
        if self._waiting_characters + len(log) > _MAX_WAITING_CHARACTERS:
            _log.warning("metrics of %s are dropped: functions write more than CloudWatch is sent", function_arn)
            return
        self._waiting.append((function_arn, log))
        self._waiting_characters += len(log)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def close(self) -> None:
        """Send what waits, for two seconds at most."""
        self._closing.set()
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=_CLOSE_LIMIT_S)
            self._sending.cancel()

    async def _send(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _GATHER_S)
            logs, self._waiting, self._waiting_characters = self._waiting, [], 0
            # In a thread, for a log may have a megabyte.
            for (region, account, namespace), data in await asyncio.to_thread(_gathered, logs, time.time()):
                for start in range(0, len(data), _MAX_DATA_PER_CALL):
                    some = data[start : start + _MAX_DATA_PER_CALL]
                    prevented = await self._aws.json(
                        "monitoring",
                        _PUT_METRIC_DATA,
                        region=region,
                        account=account,
                        body={"Namespace": namespace, "MetricData": some},
                    )
                    if prevented is not None:
                        _log.warning("CloudWatch did not take metrics of %s: %s", account, prevented)


_Place = tuple[str, str, str]
"""Region, account and namespace."""


def _gathered(logs: Iterable[tuple[str, str]], now: float) -> list[tuple[_Place, list[dict[str, Any]]]]:
    """Return what to put and where: one datum for all points of a metric in one minute or second."""
    found: dict[_Place, dict[tuple[Any, ...], _Statistics]] = {}
    for region, account, point in islice(_points(logs, now), _MAX_GATHERED_POINTS):
        metrics = found.setdefault((region, account, point.namespace), {})
        metric = point.name, point.dimensions, point.unit, point.at, point.resolution_s
        metrics.setdefault(metric, _Statistics()).add(point.values)
    return [
        (
            place,
            [
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                    "Unit": unit,
                    "Timestamp": at,
                    "StorageResolution": resolution_s,
                    "StatisticValues": statistics.to_dict(),
                }
                for (name, dimensions, unit, at, resolution_s), statistics in metrics.items()
            ],
        )
        for place, metrics in found.items()
    ]


def _points(logs: Iterable[tuple[str, str]], now: float) -> Iterator[tuple[str, str, MetricPoint]]:
    for function_arn, log in logs:
        region, account = function_arn.split(":")[3:5]
        for point in read_metrics(log, now=now):
            yield region, account, point
