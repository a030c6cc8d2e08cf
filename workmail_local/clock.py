"""WorkMail's time, which may run faster than ours."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall-clock time in which WorkMail's waiting is compressed.

    Stored times are real, so the scale may change between two runs. A function's own time is never compressed: its
    timeout and the 15 seconds that WorkMail waits for it (T1) are real.

    Args:
        scale: Seconds of WorkMail's waiting (rule timeout, retries, the 24 hours of content) per real second.
    """

    scale: float = 1.0

    def now(self) -> float:
        """Return the real seconds since the epoch."""
        return time.time()

    def real(self, seconds: float) -> float:
        """Return the real seconds that `seconds` of WorkMail's time take."""
        return seconds / self.scale

    def age(self, since: float) -> float:
        """Return the seconds of WorkMail's time since a stored time."""
        return (self.now() - since) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of WorkMail's time."""
        await asyncio.sleep(self.real(seconds))
