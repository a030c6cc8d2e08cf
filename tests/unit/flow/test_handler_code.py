"""What would fail when Lambda loads a function, found without running its code."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_flow.handler_code import function_problem


@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context): ...",
        "async def handler(event, context): ...",
        "class handler: ...",
        "handler = synchronous(decide)",
        "handler: object = 1",
        "a, (handler, *b) = x",
        "from handlers import handler",
        "from handlers import other as handler",
        "import handler",
        "from handlers import *",
        "if x:\n    pass\nelse:\n    handler = 1",
        "try:\n    import a\nexcept ImportError:\n    def handler(): ...",
        "for handler in x: ...",
        "with open() as handler: ...",
        "match x:\n    case 1:\n        handler = 1",
        "(handler := 1)",
    ],
)
def test_whatever_binds_the_name_counts(source: str) -> None:
    assert function_problem(source.encode(), "handler") is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def handle(): ...\n_private = 1", "has no 'handler'; it has handle"),
        ("", "has no 'handler'; it has no names"),
        ("def outer():\n    def handler(): ...", "has no 'handler'; it has outer"),
        ("x = 1\ndef handler(event, context)\n    return 1", "has a syntax error in line 2: expected ':'"),
        ("def handler():\nreturn 1", "has a syntax error in line 2: expected an indented block"),
        ("handler = (1,", "has a syntax error in line 1: '(' was never closed"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(source: str, problem: str) -> None:
    found = function_problem(source.encode(), "handler")
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "source",
    [
        "type X = int\ndef handler(): ...",
        "def first[T](x: T) -> T: ...\ndef handler(): ...",
        "class Box[T]: ...\ndef handler(): ...",
        "x = f'{a['b']}'\ndef handler(): ...",
        "x = t'{a}'\ndef handler(): ...",
        "try:\n    x()\nexcept A, B:\n    pass\ndef handler(): ...",
    ],
)
def test_syntax_of_a_newer_python_is_not_judged(source: str) -> None:
    assert function_problem(source.encode(), "handler") is None


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_only_code_that_does_not_parse_has_a_syntax_error(source: bytes) -> None:
    found = function_problem(source, "handler")
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        assert found is None or found.startswith("has a syntax error")
    else:
        assert found is None or found.startswith("has no 'handler'")
