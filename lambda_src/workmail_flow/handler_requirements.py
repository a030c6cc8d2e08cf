"""The packages that a handler's folder asks for, and which of them are projects on this machine."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REQUIREMENTS: Final = "requirements.txt"
PROJECT: Final = "pyproject.toml"

_COMMENT: Final = re.compile(r"(^|\s)#.*")
_OTHER_FILE: Final = re.compile(r"(?:-r|--requirement)[\s=]*(?P<file>\S+)")
# A path, after `-e` or after the project's name, before its extras, markers and options. Without `/`, it is a name.
_PATH: Final = re.compile(r"(?:(?:-e|--editable)[\s=]*)?(?:[\w.\-\[\], ]+@\s*)?(?P<path>(?:\.|[^\[;\s]*/)[^\[;\s]*)")


class RequirementsError(ValueError):
    """A requirements or project file that cannot be read; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class HandlerRequirements:
    """The file that names a handler's packages."""

    file: Path
    local_projects: Mapping[str, Path]
    """The folders of the projects among them that lie on this machine, by project name."""


def handler_requirements(folder: Path) -> HandlerRequirements | None:
    """Return what a handler's folder asks for: its requirements.txt, or else the dependencies of its pyproject.toml.

    With both, the requirements.txt counts: it is then the pinned form of the project's dependencies.

    Raises:
        RequirementsError: The pyproject.toml, or that of a local project, cannot be read.
    """
    requirements, project = folder / REQUIREMENTS, folder / PROJECT
    if requirements.is_file():
        folders = list(_named_folders(requirements, folder, set()))
        return HandlerRequirements(requirements, _projects(folders))
    if not project.is_file():
        return None
    content = _read(project)
    if "dependencies" in content.get("project", {}).get("dynamic", ()):
        raise RequirementsError(
            f"{project}: found dynamic dependencies, which only a build of the project could tell; list them under "
            f"[project] dependencies, or in a {REQUIREMENTS}"
        )
    if not content.get("project", {}).get("dependencies"):
        return None
    return HandlerRequirements(project, _projects(list(_source_folders(content, folder))))


def _projects(waiting: list[Path]) -> dict[str, Path]:
    """Return the projects in these folders, and those that their own pyproject.toml names by path."""
    found: dict[str, Path] = {}
    while waiting:
        folder = waiting.pop().resolve()
        if folder in found.values() or not (folder / PROJECT).is_file():
            continue
        content = _read(folder / PROJECT)
        if name := content.get("project", {}).get("name"):
            found[name] = folder
            waiting += _source_folders(content, folder)
    return dict(sorted(found.items()))


def _named_folders(requirements: Path, start: Path, read: set[Path]) -> Iterator[Path]:
    """Find the folders that a requirements file names, and the files it reads; uv takes paths from `start`."""
    read.add(requirements.resolve())
    text = requirements.read_text(encoding="utf-8-sig").replace("\\\n", " ")
    for line in (_COMMENT.sub("", line).strip() for line in text.splitlines()):
        if other := _OTHER_FILE.match(line):
            file = requirements.parent / other["file"]
            if file.is_file() and file.resolve() not in read:
                yield from _named_folders(file, start, read)
        elif named := _PATH.match(line):
            yield from _existing_folder(named["path"], start)


def _source_folders(content: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Find the folders that a pyproject.toml names, among its dependencies or as a source that uv reads."""
    for dependency in content.get("project", {}).get("dependencies", ()):
        if named := _PATH.match(dependency):
            yield from _existing_folder(named["path"], folder)
    for source in content.get("tool", {}).get("uv", {}).get("sources", {}).values():
        for each in source if isinstance(source, list) else [source]:
            if "path" in each:
                yield from _existing_folder(each["path"], folder)


def _existing_folder(path: str, start: Path) -> Iterator[Path]:
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    if (start / path).is_dir():
        yield start / path


def _read(project: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(project.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequirementsError(f"{project}: found what is not TOML: {error}; correct it") from error
