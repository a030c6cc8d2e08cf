"""The lines of metrics that a rule's function writes to its log, read for people."""

from __future__ import annotations

import json

from workmail_flow.metrics import METRICS_NAMESPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_metrics_log(log: str) -> tuple[list[str], str]:
    """Return what a function's log counts, a line for the function and for each step, and the log without it."""
    counted: list[str] = []
    others = []
    for line in log.splitlines(keepends=True):
        found = _shown(line) if f'"{METRICS_NAMESPACE}"' in line else None
        if found is None:
            others.append(line)
        else:
            counted.append(found)
    return counted, "".join(others)


def _shown(line: str) -> str | None:
    """Return the counts of a line; None if it only looks like one, for a function may print what it likes."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match found:
        case {"_aws": {"CloudWatchMetrics": [{"Namespace": namespace, "Metrics": [_, *_] as metrics}]}} if (
            namespace == METRICS_NAMESPACE
        ):
            counts = [_count(metric, found) for metric in metrics]
        case _:
            return None
    shown = ", ".join(count for count in counts if count is not None)
    step = found.get("Step")
    if None in counts or not isinstance(step, str | None):
        return None
    return shown if step is None else f"{step}: {shown}"


def _count(metric: object, values: dict[str, Any]) -> str | None:
    match metric:
        case {"Name": str(name), "Unit": str(unit)}:
            value = values.get(name)
        case _:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{name} {value:,}{' ms' if unit == 'Milliseconds' else ''}"
