"""The Python interpreters of this machine, found by the Lambda runtime they stand for."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ASK_VERSION: Final = "import sys; print(sys.version_info[0], sys.version_info[1], sys.implementation.cache_tag)"
_ASK_LIMIT_S: Final = 10

OLDEST_VERSION: Final = (3, 10)
"""The oldest Python that AWS's runtime client and boto3 support."""


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
    def runtime(self) -> str:
        """The Lambda runtime of this version, for example `python3.13`."""
        return f"python{self.version[0]}.{self.version[1]}"

    @property
    def is_running(self) -> bool:
        """Whether it is the interpreter that runs this code."""
        return self.executable == sys.executable


@functools.cache
def find_interpreter(runtime: str) -> Interpreter:
    """Return the interpreter that functions of a runtime run under here.

    One of the runtime's version: the running one, pyenv's, uv's or one on PATH. The running one where there is none,
    or where AWS's runtime client does not support the version.
    """
    running = Interpreter(sys.executable, sys.version_info[:2], sys.implementation.cache_tag or "")
    if runtime == running.runtime:
        return running
    version = runtime.removeprefix("python")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    candidates = [
        *sorted(pyenv.glob(f"{version}*/bin/{runtime}"), reverse=True),
        *sorted(uv.glob(f"cpython-{version}*/bin/{runtime}"), reverse=True),
        shutil.which(runtime),
    ]
    for candidate in candidates:
        # A command on PATH may be a shim without a version behind it, hence the question.
        found = _ask(str(candidate)) if candidate else None
        if found and found.runtime == runtime and found.version >= OLDEST_VERSION:
            return found
    return running


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
