"""WorkMail's time, which may run faster than ours."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall-clock time whose waits are compressed.

    Stored times are real ones, so that the scale may change between two runs. What a function itself takes is never
    compressed: its own timeout and the 15 seconds WorkMail waits for it (T1) are real.

    Args:
        scale: Seconds of WorkMail's waiting (rule timeout, retries, the 24 hours of content) that pass in one second.
    """

    scale: float = 1.0

    def now(self) -> float:
        """Return seconds since the epoch, real ones."""
        return time.time()

    def real(self, seconds: float) -> float:
        """Return how many real seconds `seconds` of WorkMail's time take."""
        return seconds / self.scale

    def age(self, since: float) -> float:
        """Return the seconds of WorkMail's time since a stored time."""
        return (self.now() - since) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of WorkMail's time."""
        await asyncio.sleep(self.real(seconds))
