"""Metrics that a function has written into its log, in CloudWatch's embedded metric format.

Functions print what they like, so a line that is not valid by the format's specification is ignored, and one log has
`MAX_POINTS` at most.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_POINTS: Final = 1_000
"""The points that are read from one log, which is as many as one PutMetricData takes."""

_KEY: Final = '"CloudWatchMetrics"'

# The limits of the format and of CloudWatch: "Specification: Embedded metric format" and PutMetricData.
_MAX_METRICS: Final = 100
_MAX_DIMENSIONS: Final = 30
_MAX_VALUES: Final = 100
_MAX_NAMESPACE_CHARACTERS: Final = 255
_MAX_NAME_CHARACTERS: Final = 255
_MAX_VALUE_CHARACTERS: Final = 1024
_MAX_VALUE: Final = 2.0**360
_MAX_AGE_S: Final = 14 * 24 * 3600.0
_MAX_AHEAD_S: Final = 2 * 3600.0
_SIZES: Final = [f"{scale}{unit}" for scale in ("", "kilo", "mega", "giga", "tera") for unit in ("bits", "bytes")]
_COUNTED: Final = ["Count", *(size.capitalize() for size in _SIZES)]
_UNITS: Final = frozenset(
    ["Seconds", "Microseconds", "Milliseconds", "Percent", "None", *_COUNTED, *(f"{unit}/Second" for unit in _COUNTED)]
)


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """The values of a metric at a time.

    Args:
        dimensions: Names and values, by name.
        unit: One of CloudWatch's units.
        at: Seconds since the epoch: the minute that CloudWatch keeps, or the second of a high-resolution metric.
        resolution_s: 60, or 1 for a high-resolution metric.
        values: At least one.
    """

    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    name: str
    unit: str
    at: int
    resolution_s: int
    values: tuple[float, ...]


class _InvalidError(Exception):
    """A line is no document of the format."""


def may_have_metrics(log: str) -> bool:
    """Whether it is worth to look for metrics in a log."""
    return _KEY in log


def read_metrics(log: str, *, now: float) -> Iterator[MetricPoint]:
    """Yield the metrics of a log; `now` is in seconds since the epoch, which metrics must be near to."""
    return islice(_points(log, now), MAX_POINTS)


def _points(log: str, now: float) -> Iterator[MetricPoint]:
    for line in log.split("\n"):
        if not may_have_metrics(line):
            continue
        try:
            yield from _read(line, now)
        except _InvalidError:
            continue


def _read(line: str, now: float) -> list[MetricPoint]:
    """Read a line; Lambda may have written a level, a time and an id in front of the document."""
    try:
        root = json.loads(line[line.index("{") :])
    except (ValueError, RecursionError):
        raise _InvalidError from None
    aws = _require(root.get("_aws"), dict)
    timestamp = aws.get("Timestamp")
    # Not divided: a number may be too large for that.
    if not isinstance(timestamp, int) or not (now - _MAX_AGE_S) * 1000 <= timestamp <= (now + _MAX_AHEAD_S) * 1000:
        raise _InvalidError
    points: list[MetricPoint] = []
    for directive in _require(aws.get("CloudWatchMetrics"), list):
        points += _directive(root, _require(directive, dict), timestamp // 1000, room=MAX_POINTS - len(points))
    return points


def _directive(root: dict[str, Any], directive: dict[str, Any], at: int, *, room: int) -> list[MetricPoint]:
    namespace = _text(directive.get("Namespace"), _MAX_NAMESPACE_CHARACTERS)
    sets = _require(directive.get("Dimensions"), list)
    metrics = _require(directive.get("Metrics"), list)
    if namespace.startswith("AWS/") or not sets or len(metrics) > _MAX_METRICS or len(sets) * len(metrics) > room:
        raise _InvalidError
    dimensions = [_dimensions(root, each) for each in sets]
    return [
        MetricPoint(namespace, each, *_metric(root, metric, at))
        for metric in (_require(metric, dict) for metric in metrics)
        for each in dimensions
    ]


def _dimensions(root: dict[str, Any], keys: object) -> tuple[tuple[str, str], ...]:
    names = _require(keys, list)
    if len(names) > _MAX_DIMENSIONS:
        raise _InvalidError
    found = {}
    for name in names:
        key = _text(name, _MAX_NAME_CHARACTERS)
        found[key] = _text(root.get(key), _MAX_VALUE_CHARACTERS)
    return tuple(sorted(found.items()))


def _metric(root: dict[str, Any], metric: dict[str, Any], at: int) -> tuple[str, str, int, int, tuple[float, ...]]:
    name = _text(metric.get("Name"), _MAX_NAME_CHARACTERS)
    unit = metric.get("Unit", "None")
    resolution_s = metric.get("StorageResolution", 60)
    target = root.get(name)
    values = target if isinstance(target, list) else [target]
    if not isinstance(unit, str) or unit not in _UNITS or resolution_s not in (1, 60) or len(values) > _MAX_VALUES:
        raise _InvalidError
    numbers = tuple(map(_number, values))
    if not numbers:
        raise _InvalidError
    return name, unit, at - at % int(resolution_s), int(resolution_s), numbers


def _number(value: object) -> float:
    # NaN is no number that compares, and JSON's `true` none at all.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_VALUE:
        raise _InvalidError
    return float(value)


def _text(value: object, longest: int) -> str:
    # What cannot be printed cannot be answered in XML either.
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable() or value.isspace():
        raise _InvalidError
    return value


def _require(value: object, kind: type) -> Any:
    if not isinstance(value, kind):
        raise _InvalidError
    return value
