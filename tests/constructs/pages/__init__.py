"""Pages of docs that are generated from what the constructs make; `python -m tests.constructs.pages` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCS = Path(__file__).parents[3] / "docs"
WRITE = "python -m tests.constructs.pages"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def assert_is_current(name: str, generated: str) -> None:
    """Assert that a page of docs is what is generated now."""
    current = (DOCS / name).read_text(encoding="utf-8")
    assert current == generated, f"docs/{name} is not what is made now: run {WRITE}, and review what changed"
