"""The layer for a handler folder: our runtime packages, the packages that it requires, and code that it shares."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from typing import TYPE_CHECKING, Final

from workmail_flow.handler_requirements import RequirementsError, handler_requirements
from workmail_flow.packed_code import RUNTIME_PACKAGES
from workmail_local.functions.interpreters import find_interpreter
from workmail_local.functions.made_once import made_once
from workmail_local.functions.runtime_folder import installed_package
from workmail_local.functions.unpacked_code import CodeError, install_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_WRITTEN: Final = ("__pycache__", "build", "dist", "venv", "node_modules")


def handler_layer(folder: Path, *, include: Iterable[Path] = (), runtime: str, work: Path) -> Path:
    """Return the zip of a handler folder's layer; made once per content of what is in it. Blocks.

    Args:
        folder: The handler folder; its requirements, if it has any, are resolved for this machine.
        include: Folders and modules that the handler imports from beside its folder.
        runtime: The function's runtime, for example `python3.13`.
        work: Folder that keeps the layers.

    Raises:
        CodeError: The requirements cannot be read or resolved.
    """
    interpreter = find_interpreter(runtime)
    packages = [installed_package(name) for name in RUNTIME_PACKAGES]
    try:
        requirements = handler_requirements(folder)
    except RequirementsError as error:
        raise CodeError(str(error)) from error
    digest = hashlib.sha256(interpreter.cache_tag.encode())
    projects = [*requirements.local_projects.values()] if requirements else []
    files = [requirements.file] if requirements else []
    for source in (*packages, *projects, *include):
        files += sorted(_sources(source))
    for file in files:
        digest.update(f"{file}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())

    def fill(making: Path) -> None:
        root = making / "python"
        for source in (*packages, *include):
            for file in _sources(source):
                target = root / source.name / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        if requirements:
            install_requirements(requirements.file, interpreter=interpreter, target=root)
        with zipfile.ZipFile(making / "layer.zip", "w") as archive:
            for file in root.rglob("*"):
                archive.write(file, file.relative_to(making))
        shutil.rmtree(root)

    return made_once(work / "layers" / digest.hexdigest()[:32], fill) / "layer.zip"


def _sources(root: Path) -> Iterator[Path]:
    """Return a file, or those of a folder, without hidden ones and what Python and builds write."""
    for path in (root, *root.rglob("*")):
        parts = path.relative_to(root).parts
        if path.is_file() and not any(part.startswith(".") or part in _WRITTEN for part in parts):
            yield path
