"""Text that Markdown shows as it is."""

from __future__ import annotations

import re


def code(text: str) -> str:
    """Return text as a Markdown code span that a table cell may hold.

    A code span ends at as many backticks as it begins with (CommonMark 6.1).
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    ticks, space = "`" * (longest + 1), " " if longest else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|")


def plain(text: str) -> str:
    """Return text as Markdown that shows it as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|" else char for char in text)
