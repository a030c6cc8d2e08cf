"""The layer for a handler folder: our runtime packages and what its `requirements.txt` names."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from typing import TYPE_CHECKING

from workmail_flow.packed_code import REQUIREMENTS, RUNTIME_PACKAGES
from workmail_local.functions.interpreters import find_interpreter
from workmail_local.functions.made_once import made_once
from workmail_local.functions.runtime_folder import installed_package
from workmail_local.functions.unpacked_code import install_requirements

if TYPE_CHECKING:
    from pathlib import Path


def handler_layer(folder: Path, *, runtime: str, work: Path) -> Path:
    """Return the zip of a handler folder's layer; made once per content of packages and requirements. Blocks.

    Args:
        folder: The handler folder; its requirements, if it has any, are resolved for this machine.
        runtime: The function's runtime, for example `python3.13`.
        work: Folder that keeps the layers.

    Raises:
        CodeError: The requirements cannot be resolved.
    """
    interpreter = find_interpreter(runtime)
    packages = [installed_package(name) for name in RUNTIME_PACKAGES]
    requirements = folder / REQUIREMENTS
    digest = hashlib.sha256(interpreter.cache_tag.encode())
    for file in [*(file for package in packages for file in sorted(package.rglob("*.py"))), requirements]:
        digest.update(file.read_bytes() if file.is_file() else b"")

    def fill(making: Path) -> None:
        root = making / "python"
        for package in packages:
            shutil.copytree(package, root / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        if requirements.is_file():
            install_requirements(requirements, interpreter=interpreter, target=root)
        with zipfile.ZipFile(making / "layer.zip", "w") as archive:
            for file in root.rglob("*"):
                archive.write(file, file.relative_to(making))
        shutil.rmtree(root)

    return made_once(work / "layers" / digest.hexdigest()[:32], fill) / "layer.zip"
