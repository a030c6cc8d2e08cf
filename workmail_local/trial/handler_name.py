"""Checks that a folder has the function a handler's name stands for, without running its code."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def handler_problem(folder: Path, handler: str) -> str | None:
    """Return what is wrong with a handler's name, or None.

    Code that cannot be parsed, or that imports names with a star, is not judged: running it will show.

    Args:
        folder: The handler folder.
        handler: For example `app.handler` or `package/app.handler`.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        return f"FOLDER: found {folder}, which {found}; allowed is the folder that holds the handler"
    module, dot, function = handler.rpartition(".")
    if not (dot and module and function.isidentifier()):
        return f"--handler: found {handler!r}; allowed is MODULE.FUNCTION, for example app.handler"
    path = folder.joinpath(*module.replace("/", ".").split("."))
    candidates = (path.with_name(path.name + ".py"), path / "__init__.py")
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        there = sorted(found.name for found in folder.glob("*.py"))
        return (
            f"--handler: {handler!r} needs {candidates[0].relative_to(folder)}, which {folder} does not have; "
            f"its Python files are {', '.join(there) or 'none'}"
        )
    try:
        names = set(_bound_names(ast.parse(file.read_bytes()).body))
    except (SyntaxError, ValueError):
        return None
    if "*" in names or function in names:
        return None
    functions = sorted(name for name in names if not name.startswith("_"))
    return f"--handler: {file} has no {function!r}; it has {', '.join(functions) or 'no names'}"


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
                            if isinstance(handler, ast.ExceptHandler):
                                yield from _bound_names(handler.body)
