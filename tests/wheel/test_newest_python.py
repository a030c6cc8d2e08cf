"""The newest Python of this machine: what functions run, and a synth. All else runs under the one of these tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.wheel.test_wheel import ROOT, UV, wheel

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["wheel"]

TESTS = (
    "tests/unit/runtime",
    "tests/unit/flow",
    "tests/constructs/test_snapshots.py",
    "tests/constructs/test_types.py",
)


def newer_python() -> str | None:
    """Return the newest Python on PATH if it is newer than this one."""
    for minor in range(sys.version_info.minor + 9, sys.version_info.minor, -1):
        if found := shutil.which(f"python3.{minor}"):
            # pyenv's stand-in runs a version that it is told to only.
            own = {**os.environ, "PYENV_VERSION": f"3.{minor}"}
            command = [found, "-c", "import sys; print(sys.executable)"]
            asked = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                return asked.stdout.strip()
    return None


def test_functions_and_a_synth_run_under_the_newest_python(wheel: Path, tmp_path: Path) -> None:
    newest = newer_python()
    if newest is None:
        pytest.skip("no Python that is newer than the one of these tests is on PATH")
    python = tmp_path / "venv" / "bin" / "python"
    into = ("--quiet", "--python", python)
    for command in (
        ("venv", "--quiet", "--python", newest, tmp_path / "venv"),
        ("pip", "sync", *into, "--require-hashes", ROOT / "requirements" / "dev.txt"),
        ("pip", "install", *into, "--no-deps", wheel),
    ):
        subprocess.run([UV, *command], check=True, capture_output=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "VIRTUAL_ENV"))}

    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *TESTS],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
