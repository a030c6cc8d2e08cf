"""Text that Markdown shows as it is."""

from __future__ import annotations


def code(text: str) -> str:
    """Return text as a Markdown code span that a table cell may hold."""
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|")


def plain(text: str) -> str:
    """Return text as Markdown that shows it as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|" else char for char in text)
