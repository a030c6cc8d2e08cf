"""What the steps of one invocation count, each in metrics of its own."""

from __future__ import annotations

from workmail_flow.metrics import FAILED
from workmail_runtime.metrics import write_line


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
            write_line(counts, step=step)
