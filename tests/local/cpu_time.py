"""How a test shows that work grows with its input and no faster, whatever else the machine does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NOISE_S = 0.005


def assert_linear(work: Callable[[str], object], unit: str) -> None:
    """Fail if four times as much of `unit` takes eight times the CPU time; quadratic work takes sixteen."""
    assert _least_s(work, unit * 40_000) < 8 * _least_s(work, unit * 10_000) + _NOISE_S


def _least_s(work: Callable[[str], object], text: str) -> float:
    def once() -> float:
        start = time.process_time()
        work(text)
        return time.process_time() - start

    return min(once() for _ in range(3))
