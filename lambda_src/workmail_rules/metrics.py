"""Counts, written to the log in CloudWatch's embedded metric format: no call, and no address or subject."""

from __future__ import annotations

import json
import os
import time

from workmail_flow.packed_steps import METRIC_DIMENSIONS, METRICS_NAMESPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FAILED: Final = "Failed"
"""How often a step failed, whether the mail went on without it or not."""


class Metrics:
    """What the steps of one invocation count."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, float]] = {}

    def add(self, step: str, metric: str, value: float) -> None:
        """Count something for a step."""
        counts = self._counts.setdefault(step, {})
        counts[metric] = counts.get(metric, 0) + value

    def keep_failures(self) -> None:
        """Forget all other counts: the invocation failed, and the retry counts them again."""
        failed = {step: counts[FAILED] for step, counts in self._counts.items() if FAILED in counts}
        self._counts = {step: {FAILED: count} for step, count in failed.items()}

    def write(self) -> None:
        """Write one line per step that counted something."""
        for step, counts in self._counts.items():
            definition = {
                "Namespace": METRICS_NAMESPACE,
                "Dimensions": [METRIC_DIMENSIONS],
                "Metrics": [{"Name": name, "Unit": "Count"} for name in counts],
            }
            line = {
                "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]},
                "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
                "Step": step,
                **counts,
            }
            print(json.dumps(line, separators=(",", ":")), flush=True)
