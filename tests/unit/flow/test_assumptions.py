"""The open facts' readings: the module and docs/assumptions.md give the same ones."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MODULE = ROOT / "lambda_src/workmail_flow/assumptions.py"


def _in_module() -> dict[str, str]:
    """Each public name of the module with the docstring that gives its fact."""
    names: dict[str, str] = {}
    body = ast.parse(MODULE.read_text(encoding="utf-8")).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.FunctionDef):
            names[statement.name] = ast.get_docstring(statement) or ""
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            assert isinstance(following, ast.Expr), statement.targets[0].id
            assert isinstance(following.value, ast.Constant)
            names[statement.targets[0].id] = str(following.value.value)
    return names


def _in_docs() -> dict[str, str]:
    text = (ROOT / "docs/assumptions.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## (\w+)\n+(.+?)(?=\n## |\Z)", text, re.DOTALL | re.MULTILINE))


def test_the_docs_explain_each_assumption_and_no_other() -> None:
    assert set(_in_docs()) == set(_in_module())


def test_both_give_the_same_facts() -> None:
    docs = _in_docs()
    for name, docstring in _in_module().items():
        facts = docstring.partition(":")[0]
        assert re.fullmatch(r"[LFERTCWD]\d+(, [LFERTCWD]\d+)*", facts), name
        assert docs[name].startswith(f"{facts}. "), name


def test_each_assumption_is_used() -> None:
    code = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("lambda_src", "workmail_constructs", "workmail_local")
        for file in (ROOT / folder).rglob("*.py")
        if file != MODULE
    )
    assert [name for name in _in_module() if not re.search(rf"\b{name}\b", code)] == []


def test_every_open_fact_has_an_assumption() -> None:
    facts = (ROOT / "docs/workmail.md").read_text(encoding="utf-8")
    open_facts = {
        paragraph.split("**")[1]
        for paragraph in re.findall(r"^- \*\*.+?(?=\n- |\n\n)", facts, re.DOTALL | re.MULTILINE)
        if "*Open*" in paragraph
    }
    assert open_facts == {"D1", "F9", "F10", "R11", "W1", "W4"}
    assert open_facts <= {fact for text in _in_docs().values() for fact in re.findall(r"[A-Z]\d+", text.split(".")[0])}


def test_the_page_of_facts_has_each_number_once() -> None:
    facts = (ROOT / "docs/workmail.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^- \*\*([LFERTCWD]\d+)\*\*", facts, re.MULTILINE)
    counts = {"L": 8, "F": 16, "E": 8, "R": 12, "T": 4, "C": 9, "W": 5, "D": 2}
    assert numbers == [f"{letter}{number}" for letter, count in counts.items() for number in range(1, count + 1)]
