"""The tests that docs/security.md names: each threat has one, and each one exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
THREATS = [row for row in re.findall(r"^\|.+\|$", PAGE, re.MULTILINE) if row.count("|") == 4 and "---" not in row]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_each_test_that_the_page_names_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    tests = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert (name or tests[0]) in tests


def test_each_threat_names_a_test() -> None:
    assert len(THREATS) > 25
    assert [row for row in THREATS if "`tests/" not in row and "| threat |" not in row] == []
