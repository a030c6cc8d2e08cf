"""Which of a user's files are packed: everything in the folder, except what a function never runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

NEVER_PACKED: Final = (".env", ".env.*", ".envrc")
"""Files with secrets, which stay out whatever the arguments say."""

DEFAULT_EXCLUDES: Final = (
    ".*",  # hidden: version control, editors, caches, .venv, .tox, .nox, credentials such as .netrc
    *("__pycache__", "*.py[cod]", "*.egg-info"),  # made by Python and its installers
    *("venv", "node_modules", "cdk.out"),  # other environments and outputs
    *("test", "tests", "test_*.py", "conftest.py"),  # run by pytest only; code that imports one is an error
    *("*~", "*.swp", "*.orig", "*.rej", "Thumbs.db"),  # left over by editors and file managers
)
"""Patterns of what stays out by default, in the folder and in what is included; packages of requirements keep all."""


@dataclass(slots=True)
class PackedFiles:
    """What is packed of one folder or file."""

    files: dict[str, Path] = field(default_factory=dict)
    """By path in the packed code, with `/`; links are followed."""
    left_out: dict[str, str] = field(default_factory=dict)
    """The files and folders that are not packed, each with the pattern that matches it."""
    problems: list[str] = field(default_factory=list)
    """Paths that cannot be packed."""


def packed_files(source: Path, *, name: str = "", excludes: Sequence[str]) -> PackedFiles:
    """Return what is packed of a folder or file.

    Args:
        source: The folder or file.
        name: What it is called in the packed code; without a name, a folder's content is at the top.
        excludes: Patterns to leave out, besides `NEVER_PACKED`.
    """
    found = PackedFiles()
    _collect(source, name, (*NEVER_PACKED, *excludes), (), found)
    return found


def _collect(source: Path, path: str, excludes: Sequence[str], above: tuple[Path, ...], found: PackedFiles) -> None:
    if source.is_file():
        found.files[path] = source
        return
    real = source.resolve()
    if not source.is_dir() or real in above:
        what = "a link to a folder that holds it" if source.is_dir() else "neither a file nor a folder"
        found.problems.append(f"{source}: found {what}; remove it, or leave it out with exclude")
        return
    for entry in sorted(source.iterdir()):
        below = f"{path}/{entry.name}" if path else entry.name
        pattern = matching_pattern(below, excludes)
        if pattern is None:
            _collect(entry, below, excludes, (*above, real), found)
        else:
            found.left_out[below] = pattern


def matching_pattern(path: str, patterns: Iterable[str]) -> str | None:
    """Return the first pattern that leaves a path out, not regarding the folders above it.

    A pattern with `/` is compared with the whole path, where `*` matches `/` too, and one without it with the name.
    """
    name = path.rpartition("/")[2]
    return next((each for each in patterns if fnmatchcase(path if "/" in each else name, each)), None)


def pattern_problem(pattern: str) -> str | None:
    """Return why a pattern leaves nothing out as its author means it; None if it is right."""
    parts = pattern.split("/")
    if not pattern or pattern.startswith("!") or "" in parts or not {".", ".."}.isdisjoint(parts):
        return (
            f"exclude: found {pattern!r}; a pattern is a name, such as '*.md', or a path in the packed code, such as "
            "'data/*.csv'"
        )
    return None
