"""The Python interpreters of this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_ASK_VERSION = "import sys; print(sys.version_info[0], sys.version_info[1], sys.implementation.cache_tag)"
_ASK_LIMIT_S = 10


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One interpreter.

    Attributes:
        version: Major and minor.
        cache_tag: For example `cpython-313`; compiled modules carry it in their names.
    """

    executable: str
    version: tuple[int, int]
    cache_tag: str

    @property
    def is_running(self) -> bool:
        """Whether it is the very interpreter that runs this code."""
        return self.executable == sys.executable


def running_interpreter() -> Interpreter:
    """Return the interpreter that runs this code."""
    return Interpreter(sys.executable, sys.version_info[:2], sys.implementation.cache_tag or "")


@functools.cache
def find_interpreter(version: tuple[int, int]) -> Interpreter | None:
    """Return an interpreter of this version: the running one, then pyenv's, uv's and those on PATH."""
    if version == sys.version_info[:2]:
        return running_interpreter()
    name = f"python{version[0]}.{version[1]}"
    dotted = f"{version[0]}.{version[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    candidates = [
        *sorted(pyenv.glob(f"{dotted}*/bin/{name}"), reverse=True),
        *sorted(uv.glob(f"cpython-{dotted}*/bin/{name}"), reverse=True),
        shutil.which(name),
    ]
    for candidate in candidates:
        # A name on PATH may be a shim that starts nothing, hence the question.
        found = _ask(str(candidate)) if candidate else None
        if found and found.version == version:
            return found
    return None


def _ask(executable: str) -> Interpreter | None:
    try:
        answer = subprocess.run(
            [executable, "-S", "-E", "-c", _ASK_VERSION],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ASK_LIMIT_S,
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return Interpreter(executable, (int(answer[0]), int(answer[1])), answer[2])
