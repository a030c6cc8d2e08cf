"""Reads a handler's code without running it: what would fail when Lambda loads it, and what it says it does."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWER_SYNTAX: Final = re.compile(
    rb"^\s*type\s+\w+[^=\n]*=|\b(?:def|class)\s+\w+\s*\[|\b[tT][rR]?[\"']|\b[rR][tT][\"']|\bexcept\b[^:(\n]*,",
    re.MULTILINE,
)
"""Looks like syntax that came with Python 3.12 or later; so do errors that are about an f-string."""


def function_problem(source: bytes, function: str) -> str | None:
    """Return why a module's code does not give a function, to stand after the file's name; None if it does or may.

    Code that imports names with a star is not judged, nor is a syntax error that may be the syntax of a newer Python
    than this one.

    Args:
        source: The module's code.
        function: The function's name.
    """
    try:
        names = set(_bound_names(ast.parse(source).body))
    except SyntaxError as error:
        message = error.msg or "invalid syntax"
        if "f-string" in message or _NEWER_SYNTAX.search(source):
            return None
        line = f" in line {error.lineno}" if error.lineno else ""
        return f"has a syntax error{line}: {message}"
    except (ValueError, RecursionError, MemoryError):  # a null byte, for example, or what no parser takes
        return None
    if names & {"*", function}:
        return None
    public = sorted(name for name in names if not name.startswith("_"))
    return f"has no {function!r}; it has {', '.join(public) or 'no names'}"


def first_line(source: bytes) -> str | None:
    """Return the first line of a module's docstring; None if it has none, or cannot be parsed by this Python."""
    try:
        docstring = ast.get_docstring(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return (docstring or "").partition("\n")[0] or None


def _bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that the statements bind in their module, including those in branches, which may run."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    yield alias.asname or alias.name.partition(".")[0]
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id
                for _, value in ast.iter_fields(statement):
                    if isinstance(value, list):
                        yield from _bound_names([inner for inner in value if isinstance(inner, ast.stmt)])
                        for handler in value:
                            if isinstance(handler, ast.ExceptHandler | ast.match_case):
                                yield from _bound_names(handler.body)
