"""Code that a page shows is that of a file which the tests run.

`<!-- shows PATH -->` or `<!-- shows PATH:SECTION -->` stands before a code block. The block holds the file, or what is
between `# [SECTION` and `# SECTION]` in it, after import lines of its own if it has some.
`python -m tests.unit.test_shown_code` writes the blocks anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(
    r"<!-- shows (?P<file>[\w./-]+)(?::(?P<section>\w+))? -->\n+```\w+\n(?P<code>.*?)```",
    re.DOTALL,
)
MARK = re.compile(r"^ *# (?:\[\w+|\w+\])\n", re.MULTILINE)
IMPORTS = re.compile(r"(?:(?:from|import) .*\n)+\n+")


def wanted(found: re.Match[str]) -> str:
    """Return what a block has to hold."""
    text = (ROOT / found["file"]).read_text(encoding="utf-8")
    if section := found["section"]:
        inside = re.search(rf"^ *# \[{section}\n(.*?)^ *# {section}\]$", text, re.DOTALL | re.MULTILINE)
        assert inside, f"{found['file']} has no section {section}"
        text = dedent(inside[1])
    text = MARK.sub("", text)
    own = IMPORTS.match(found["code"])
    return f"{own[0]}{text}" if own and section else text


def rewritten(page: str) -> str:
    """Return a page with its blocks as their files are now."""
    return BLOCK.sub(lambda found: found[0].replace(found["code"], wanted(found)), page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_the_code_that_is_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == rewritten(text), "write it anew with: python -m tests.unit.test_shown_code"
    assert "--8<--" not in text


def test_the_blocks_are_found() -> None:
    shown = [found["file"] for page in PAGES for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    assert len(shown) == sum(page.read_text(encoding="utf-8").count("<!-- shows ") for page in PAGES) > 10


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(rewritten(each.read_text(encoding="utf-8")), encoding="utf-8")
