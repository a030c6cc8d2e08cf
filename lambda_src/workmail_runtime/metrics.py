"""Counts of one invocation, written to the log in CloudWatch's embedded metric format: no call to AWS.

A line holds the function's name, a step's name and numbers: never an address, a subject or anything else of the mail.
"""

from __future__ import annotations

import os
import time

from workmail_flow.metrics import (
    COLD_STARTS,
    FUNCTION_DIMENSIONS,
    METRICS_NAMESPACE,
    METRICS_OFF,
    METRICS_VARIABLE,
    STEP_DIMENSIONS,
    TIME_LEFT,
)

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Of the process, as Lambda gives a process one event at a time.
_counts: dict[str, float] = {}
_has_begun = False


def begin() -> None:
    """Begin to count an invocation."""
    global _has_begun
    _counts.clear()
    if not _has_begun:
        _has_begun = True
        count(COLD_STARTS)


def count(metric: str, value: float = 1) -> None:
    """Count something in a metric of the function."""
    _counts[metric] = _counts.get(metric, 0) + value


def write_counts() -> None:
    """Write what was counted since `begin`."""
    write_line(_counts)


def write_line(counts: Mapping[str, float], *, step: str | None = None) -> None:
    """Write counts of the function, or of one of its steps.

    Only what is not zero is written, since each metric costs money; and nothing outside Lambda or if the environment
    turns metrics off.
    """
    counts = {name: value for name, value in counts.items() if value}
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    if not counts or not function or os.environ.get(METRICS_VARIABLE) == METRICS_OFF:
        return
    import json  # the runtime client has it loaded

    names = (function,) if step is None else (function, step)
    dimensions = dict(zip(FUNCTION_DIMENSIONS if step is None else STEP_DIMENSIONS, names, strict=True))
    definition = {
        "Namespace": METRICS_NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Milliseconds" if name == TIME_LEFT else "Count"} for name in counts],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]},
        **counts,
        **dimensions,  # last: a step that counts something called FunctionName does not change them
    }
    print(json.dumps(line, separators=(",", ":")), flush=True)
