"""How a test shows that work grows with its input and no faster, whatever else the machine does."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NOISE_S = 0.005
_MOST_ROUNDS = 20


def assert_linear(quarter: Callable[[], object], whole: Callable[[], object]) -> None:
    """Fail if four times the input takes eight times the CPU time; quadratic work takes sixteen.

    Noise of the machine is measured away: each round keeps the least of both, until they are as they should be.
    """
    short = long = inf
    for round_ in range(_MOST_ROUNDS):
        short, long = min(short, _cpu_s(quarter)), min(long, _cpu_s(whole))
        if round_ > 1 and long < 8 * short + _NOISE_S:
            return
    raise AssertionError(
        f"four times the input takes {long:.3f} s and not {short:.3f} s; allowed is eight times as much"
    )


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
