"""Lengths of time in options, such as 30m, 12h and 7d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"([0-9]{1,6})([mhd])")


def duration(text: str) -> timedelta | None:
    """Read a number of minutes, hours or days; None for any other text."""
    found = _DURATION.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
