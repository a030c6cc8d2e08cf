"""Each fact of docs/workmail.md has a test that carries its number, or stands below with the reason why not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

UNPROVEN: dict[str, str] = {}


def _marked() -> set[str]:
    """The numbers in every `@pytest.mark.fact(...)` and `pytest.mark.fact(...)` of the tests."""
    numbers: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fact":
                numbers.update(str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))
    return numbers


def _documented() -> set[str]:
    page = (ROOT / "docs" / "workmail.md").read_text(encoding="utf-8")
    return set(re.findall(r"\b([LFERTCWD]\d{1,2})\b", page))


def test_every_fact_is_proven_or_says_why_not() -> None:
    assert _documented() - _marked() == set(UNPROVEN)


def test_no_test_carries_a_number_that_is_not_a_fact() -> None:
    assert _marked() - _documented() == set()
