"""Deployed zips, unpacked once per content, with packages for another platform resolved again for this machine."""

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

from workmail_flow.packed_code import RECORDED_BUILD, RECORDED_REQUIREMENTS, find_uv
from workmail_local.functions.made_once import made_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_local.functions.interpreters import Interpreter

_ELF_MACHINES: Final = {0x3E: ("x86_64", "amd64"), 0xB7: ("aarch64", "arm64")}
_PYTHON_TAG: Final = re.compile(r"\.cpython-(\d+)")


class CodeError(Exception):
    """The function's code cannot be unpacked or prepared."""


def unpacked(zips: Sequence[Path], *, work: Path) -> Path:
    """Return the folder with these zips unpacked over one another; the same content is unpacked once.

    Raises:
        CodeError: A file cannot be read, or is not a zip.
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
    """Return the compiled modules in the folder that this machine or interpreter cannot load, as relative paths."""
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
    """Return a copy of unpacked code with its recorded requirements resolved again for this machine.

    Raises:
        CodeError: uv is missing or failed; holds its output.
    """

    def fill(copy: Path) -> None:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        install_requirements(folder / RECORDED_REQUIREMENTS, interpreter=interpreter, target=copy)

    return made_once(work / "resolved" / f"{folder.name}-{interpreter.cache_tag}", fill)


def install_requirements(requirements: Path, *, interpreter: Interpreter, target: Path) -> None:
    """Install a requirements file into a folder with uv, for this machine.

    Raises:
        CodeError: uv is missing or failed; holds its output.
    """
    arguments = ["--reinstall", "--python", interpreter.executable, "--requirements", requirements.name]
    # Run in the file's folder, which relative paths in it start from.
    install(arguments, target=target, cwd=requirements.parent, wanted=str(requirements))


def install(arguments: Sequence[str], *, target: Path, cwd: Path, wanted: str) -> None:
    """Install packages into a folder with uv.

    Args:
        arguments: What to install, and for which platform.
        target: The folder.
        cwd: Where uv runs.
        wanted: What is installed, for the error message.

    Raises:
        CodeError: uv is missing or failed; holds its output.
    """
    uv = find_uv()
    if uv is None:
        raise CodeError(f"{wanted}: uv, which installs it, was not found: pip install 'workmail-constructs[local]'")
    command = [uv, "pip", "install", "--quiet", "--target", str(target.absolute()), *arguments]
    # uv links files into its cache, which deployments to AWS use too: there, others must be able to read them.
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, umask=0o022)
    if result.returncode:
        raise CodeError(f"{wanted}: uv could not install it:\n{result.stderr.strip()}")


def built_for(folder: Path) -> str:
    """Say what unpacked code was built for, in words; "another platform" where nothing is recorded."""
    try:
        build = json.loads((folder / RECORDED_BUILD).read_text())
    except (OSError, ValueError):
        return "another platform"
    return f"{build.get('platform', 'another platform')}, Python {build.get('python', 'unknown')}"
