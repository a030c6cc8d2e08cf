"""Checks that a folder has the function a handler's name stands for, without running its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_flow.handler_code import function_problem

if TYPE_CHECKING:
    from pathlib import Path


def handler_problem(folder: Path, handler: str) -> str | None:
    """Return what is wrong with a handler's name, or None.

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
    problem = function_problem(file.read_bytes(), function)
    return problem and f"--handler: {file} {problem}"
