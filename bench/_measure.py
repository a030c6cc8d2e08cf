"""The shape of one measurement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of ours beside the alternative's, taken side by side in one run.

    Args:
        name: What was measured.
        ours: Our number, in `unit`.
        theirs: The alternative's number, in `unit`.
        unit: For example "ms CPU", "instructions", "MiB".
        goal: The largest `ours / theirs` that is good enough; None where there is no goal.
        note: What the alternative is, and anything needed to read the numbers.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over theirs; smaller is better."""
        return self.ours / self.theirs

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.ratio <= self.goal
