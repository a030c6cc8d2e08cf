"""The layer for a handler folder: our runtime packages and the packages that it requires."""

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
    from collections.abc import Iterator
    from pathlib import Path

_BUILD_OUTPUT: Final = ("__pycache__", "build", "dist", "venv", "node_modules")


def handler_layer(folder: Path, *, runtime: str, work: Path) -> Path:
    """Return the zip of a handler folder's layer; made once per content of packages and requirements. Blocks.

    Args:
        folder: The handler folder; its requirements, if it has any, are resolved for this machine.
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
    files = [file for package in packages for file in sorted(package.rglob("*.py"))]
    if requirements:
        projects = requirements.local_projects.values()
        files += [requirements.file, *(file for project in projects for file in sorted(_sources(project)))]
    for file in files:
        digest.update(file.read_bytes())

    def fill(making: Path) -> None:
        root = making / "python"
        for package in packages:
            shutil.copytree(package, root / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        if requirements:
            install_requirements(requirements.file, interpreter=interpreter, target=root)
        with zipfile.ZipFile(making / "layer.zip", "w") as archive:
            for file in root.rglob("*"):
                archive.write(file, file.relative_to(making))
        shutil.rmtree(root)

    return made_once(work / "layers" / digest.hexdigest()[:32], fill) / "layer.zip"


def _sources(project: Path) -> Iterator[Path]:
    """Return the files that a build of a project may read, without hidden ones and what a build writes."""
    for path in project.rglob("*"):
        parts = path.relative_to(project).parts
        if path.is_file() and not any(part.startswith(".") or part in _BUILD_OUTPUT for part in parts):
            yield path
