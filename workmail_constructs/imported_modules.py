"""Which modules Python code imports, read from the code without running it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# What holds statements; expressions never do.
_STATEMENTS: Final = (ast.stmt, ast.excepthandler, ast.match_case)


def imported_names(source: bytes, *, package: str) -> set[str]:
    """Return what a module imports when it runs, as dotted names: `a.b` and `a.b.c` for `from a.b import c`.

    Imports for type checkers only do not count; imports inside functions do.

    Args:
        source: The module's code.
        package: Dotted name of the package that relative imports start from; empty for a module at the top.

    Raises:
        SyntaxError: It is not code of the Python that is running.
    """
    found: set[str] = set()
    for node in _run(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join(filter(None, (*above, node.module)))
            found.update((module, *(f"{module}.{alias.name}" for alias in node.names)))
    return found


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a module's statements, without the blocks that only type checkers read."""
    yield node
    skipped = node.body if isinstance(node, ast.If) and _is_type_checking(node.test) else ()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _STATEMENTS) and child not in skipped:
            yield from _run(child)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def needed_modules(root: Path, package: str, names: Iterable[str]) -> set[Path]:
    """Return the files of a package that imports of these names load, those that its own modules import included.

    Args:
        root: The package's folder.
        package: Its name.
        names: Dotted names, as `imported_names` returns them.
    """
    needed: set[Path] = set()
    waiting = {package, *names}
    while waiting:
        for file in _files_of(root, package, waiting.pop()):
            if file not in needed:
                needed.add(file)
                inside = ".".join((package, *file.relative_to(root).parts[:-1]))
                waiting |= imported_names(file.read_bytes(), package=inside)
    return needed


def _files_of(root: Path, package: str, name: str) -> Iterator[Path]:
    """Find the files that an import of a dotted name loads: the modules and packages on the way to it."""
    top, *parts = name.split(".")
    if top == package:
        paths = ["__init__.py"]
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            paths += [f"{path}.py", f"{path}/__init__.py"]
        yield from (root / path for path in paths if (root / path).is_file())
