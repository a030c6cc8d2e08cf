"""Deployed zips, unpacked once for each content, and made to fit this machine where they do not."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workmail_local.functions.made_once import made_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_local.functions.interpreters import Interpreter

RECORDED_REQUIREMENTS: Final = ".workmail/requirements.txt"
"""Where the asset of a handler folder records what was resolved into it."""

_ELF_MACHINES: Final = {0x3E: ("x86_64", "amd64"), 0xB7: ("aarch64", "arm64")}
_PYTHON_TAG: Final = re.compile(r"\.cpython-(\d+)")


class CodeError(Exception):
    """The function's code cannot be unpacked or made ready."""


def unpacked(zips: Sequence[Path], *, work: Path) -> Path:
    """Unpack zips over one another into a folder named by their content; at once if it is there already.

    Raises:
        CodeError: A file is missing, or no zip.
    """
    digest = hashlib.sha256()
    for path in zips:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise CodeError(f"{path}: the deployed code cannot be read: {error.strerror}") from error

    def fill(folder: Path) -> None:
        for path in zips:
            _unpack(path, folder)

    return made_once(work / "code" / digest.hexdigest()[:32], fill)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                written = Path(archive.extract(member, folder))
                if (mode := member.external_attr >> 16 & 0o777) and not member.is_dir():
                    written.chmod(mode | 0o600)
    except zipfile.BadZipFile as error:
        raise CodeError(f"{path}: not a zip: {error}") from error


def foreign_modules(folder: Path, interpreter: Interpreter) -> tuple[str, ...]:
    """Compiled modules in the folder that this machine or interpreter cannot load, as relative paths."""
    return tuple(
        str(path.relative_to(folder)) for path in sorted(folder.rglob("*.so")) if not _loads_here(path, interpreter)
    )


def _loads_here(path: Path, interpreter: Interpreter) -> bool:
    tag = _PYTHON_TAG.search(path.name)
    if tag and tag[1] != interpreter.cache_tag.removeprefix("cpython-"):
        return False
    with path.open("rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        return sys.platform != "linux"
    return sys.platform == "linux" and _machine() in _ELF_MACHINES.get(int.from_bytes(head[18:20], "little"), ())


def _machine() -> str:
    import platform

    return platform.machine().lower()


def resolved_for_host(folder: Path, *, interpreter: Interpreter, work: Path) -> Path:
    """Copy unpacked code with its recorded requirements resolved anew for this machine.

    Raises:
        CodeError: The requirements cannot be resolved here; holds what uv said.
    """

    def fill(copy: Path) -> None:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        install_requirements(folder / RECORDED_REQUIREMENTS, interpreter=interpreter, target=copy)

    return made_once(work / "resolved" / f"{folder.name}-{interpreter.cache_tag}", fill)


def install_requirements(requirements: Path, *, interpreter: Interpreter, target: Path) -> None:
    """Install a requirements file into a folder with uv, for this machine.

    Raises:
        CodeError: uv is missing, or refused; holds what it said.
    """
    arguments = ["--reinstall", "--python", interpreter.executable, "--requirements", requirements.name]
    # In the file's own folder, so that relative paths in it mean what they say.
    install(arguments, target=target, cwd=requirements.parent, wanted=str(requirements))


def install(arguments: Sequence[str], *, target: Path, cwd: Path, wanted: str) -> None:
    """Install packages into a folder with uv.

    Args:
        arguments: What to install, and for which platform.
        target: The folder.
        cwd: Where uv runs.
        wanted: What is installed, in words, for the error.

    Raises:
        CodeError: uv is missing, or refused; holds what it said.
    """
    command = [uv_executable(), "pip", "install", "--quiet", "--target", str(target.absolute()), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if result.returncode:
        raise CodeError(f"{wanted}: uv could not install it:\n{result.stderr.strip()}")


def uv_executable() -> str:
    """Return the path of uv: the one installed beside this package, else the one on PATH.

    Raises:
        CodeError: There is none.
    """
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise CodeError(
            "uv is needed to install requirements and is not there: pip install 'workmail-constructs[local]'"
        )
    return found


def built_for(folder: Path) -> str:
    """Say what unpacked code was built for, in words; "another platform" where nothing is recorded."""
    try:
        build = json.loads((folder / ".workmail/build.json").read_text())
    except (OSError, ValueError):
        return "another platform"
    return f"{build.get('platform', 'another platform')}, Python {build.get('python', 'unknown')}"
