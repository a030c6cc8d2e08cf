"""Packs a function's code; no other module knows where that code comes from.

A packed folder holds the user's files, `workmail_flow` and `workmail_runtime`, the packages of a `requirements.txt` as
uv resolves them for the function's platform, and `.workmail/`, which records how it was packed. Its content, and so
CDK's hash of it, is the same on every machine: no byte code, times, modes or paths are part of it.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from workmail_constructs.defaults import PYTHON_VERSION
from workmail_flow.packed_code import (
    RECORD_FOLDER,
    RECORDED_BUILD,
    RECORDED_REQUIREMENTS,
    REQUIREMENTS,
    RUNTIME_PACKAGES,
    find_uv,
)

PLATFORM: Final = "aarch64-manylinux_2_34"
"""uv's name for Lambda on arm64 with Python 3.12 or newer: Amazon Linux 2023, whose glibc is 2.34."""

_NEVER_PACKED: Final = shutil.ignore_patterns(
    "__pycache__", "*.py[co]", ".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".DS_Store", "cdk.out"
)
# Files in which an installer records the machine it ran on, or files that are removed here.
_INSTALLER_TRACES: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")


class PackingError(RuntimeError):
    """A folder could not be packed; the message says why and what to do."""


@cache
def packed_folder(folder: Path) -> Path:
    """Pack a handler's folder, given as an absolute path, and return the packed one; each is packed once per process.

    Raises:
        PackingError: The folder has a file that packing would overwrite, or its requirements cannot be resolved.
    """
    shadowing = (*RUNTIME_PACKAGES, *(f"{package}.py" for package in RUNTIME_PACKAGES), RECORD_FOLDER)
    if taken := [name for name in shadowing if (folder / name).exists()]:
        raise PackingError(f"{folder}: found {', '.join(taken)}, which packing would overwrite: rename or remove it")
    packed = Path(tempfile.mkdtemp(dir=_staging_root()))
    requirements = folder / REQUIREMENTS
    if requirements.is_file():
        _install(requirements, packed)
    for package in RUNTIME_PACKAGES:
        _copy(_source_of(package), packed / package)
    _copy(folder, packed)
    (packed / RECORD_FOLDER).mkdir()
    build = {"platform": PLATFORM, "python": PYTHON_VERSION}
    (packed / RECORDED_BUILD).write_text(json.dumps(build) + "\n", encoding="utf-8")
    if requirements.is_file():
        shutil.copyfile(requirements, packed / RECORDED_REQUIREMENTS)
    return packed


def source_of(module: str) -> str:
    """Return the text of a module of ours that runs by itself, for a template to carry."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PackingError(f"{module} is not installed with workmail_constructs: install workmail-constructs again")
    return Path(spec.origin).read_text(encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """Copy only content: files get this process's modes, and links become the files they point to."""
    shutil.copytree(source, target, ignore=_NEVER_PACKED, copy_function=shutil.copyfile, dirs_exist_ok=True)


def _source_of(package: str) -> Path:
    """Return the folder of one of our packages, in a checkout or installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PackingError(f"{package} is not installed with workmail_constructs: install workmail-constructs again")
    return Path(spec.submodule_search_locations[0])


@cache
def _staging_root() -> Path:
    """Return this process's folder for packed code. CDK copies from it while an app is built; it is removed at exit."""
    root = Path(tempfile.mkdtemp(prefix="workmail-constructs-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


def _install(requirements: Path, target: Path) -> None:
    uv = find_uv()
    if uv is None:
        raise PackingError(
            f"{requirements}: packing these requirements needs uv, which was found neither beside {sys.executable} "
            "nor on PATH; install it with: pip install uv"
        )
    command = [
        *(uv, "pip", "install", "--quiet", "--no-progress"),
        *("--target", str(target), "--link-mode", "copy", "--no-compile-bytecode"),
        *("--python", sys.executable, "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM),
        *("--only-binary", ":all:", "--requirements", requirements.name),
    ]
    # uv runs in the folder, so that relative paths inside a requirements file are right.
    done = subprocess.run(command, cwd=requirements.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackingError(
            f"{requirements}: found requirements that uv cannot resolve for Python {PYTHON_VERSION} on {PLATFORM}; "
            "allowed are packages with a wheel for that platform or a pure Python wheel; change the requirements, or "
            f"build the function yourself and pass it as function=. uv says:\n{done.stderr.strip()}"
        )
    # Scripts name this machine's interpreter, and Lambda runs no scripts.
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    for trace in (trace for name in _INSTALLER_TRACES for trace in target.glob(f"*.dist-info/{name}")):
        trace.unlink()
