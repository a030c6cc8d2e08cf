"""What holds for every page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_has_a_heading(page: Path) -> None:
    """A blank line inside a table would show the rows after it as plain text."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    tables = re.findall(r"(?<=\n\n)((?:\|.*\n?)+)", text)
    assert [table.partition("\n")[0] for table in tables if not re.match(r"\|.*\|\n\|[ :|-]+\|\n", table)] == []
