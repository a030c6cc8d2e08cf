"""Searches in messages of any size during which other threads go on.

One search of Python's `re` or `bytes` lets no other thread run until it ends, which takes a second for 40 MB (F16). So
each search here looks at one piece of the message after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

PIECE_BYTES: Final = 256 * 1024
"""How much one search looks at: a few milliseconds."""

_OVERLAP_BYTES: Final = 1024
"""How far a match may reach into the next piece."""


def find(content: bytes, part: bytes, start: int = 0, end: int | None = None) -> int:
    """Return the first place of `part` in `content[start:end]`, or -1."""
    for begin, stop in _pieces(start, len(content) if end is None else end):
        if (place := content.find(part, begin, min(stop + len(part) - 1, len(content) if end is None else end))) >= 0:
            return place
    return -1


def matches(pattern: re.Pattern[bytes], content: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the matches of a pattern, as `finditer` does. No match is longer than 1,024 bytes."""
    for begin, stop in _pieces(0, len(content)):
        for match in pattern.finditer(content, begin, stop + _OVERLAP_BYTES):
            if match.start() < stop:
                yield match


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    for begin in range(start, end, PIECE_BYTES):
        yield begin, min(begin + PIECE_BYTES, end)
