"""WorkMail's time, which may run faster than ours."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, on Linux and macOS alike."""


class Clock:
    """Wall-clock time in which WorkMail's waiting is compressed.

    The wall clock is read once. From then on time passes steadily, so setting the wall clock back or forward neither
    stops a rule timeout nor ends it early.

    Stored times are real, so the scale may change between two runs. A function's own time is never compressed: its
    timeout and the 15 seconds that WorkMail waits for it (T1) are real.

    Args:
        scale: Seconds of WorkMail's waiting (rule timeout, retries, the 24 hours of content) per real second.
        wall: Returns the seconds since the epoch.
        steady: Returns seconds that nobody can set.
    """

    def __init__(
        self,
        scale: float = 1.0,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = lambda: time.clock_gettime(_CLOCK),
    ) -> None:
        self.scale = scale
        self._steady = steady
        self._epoch = wall() - steady()

    def now(self) -> float:
        """Return the real seconds since the epoch, by the wall clock at the start."""
        return self._epoch + self._steady()

    def real(self, seconds: float) -> float:
        """Return the real seconds that `seconds` of WorkMail's time take."""
        return seconds / self.scale

    def age(self, since: float) -> float:
        """Return the seconds of WorkMail's time since a stored time; 0 if a run before had a later wall clock."""
        return max(0.0, self.now() - since) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of WorkMail's time."""
        await asyncio.sleep(self.real(seconds))
