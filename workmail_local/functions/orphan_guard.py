"""Ends the functions' processes when this process ends without having done so.

A process of its own that reads which process groups run from a pipe. The pipe closes when its writer ends,
however that ends, and then whatever still runs is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys


class OrphanGuard:
    """Starts the guarding process on first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, process_group: int) -> None:
        """Kill this group if we end before `forget`."""
        self._tell(f"+{process_group}\n")

    def forget(self, process_group: int) -> None:
        """The group has ended."""
        self._tell(f"-{process_group}\n")

    def close(self) -> None:
        """End the guarding process; it kills what it still watches."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                start_new_session=True,  # an interrupt from the terminal reaches us, not the guard
            )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), line.encode())


def _guard() -> None:
    watched: set[int] = set()
    for line in sys.stdin.buffer:
        (watched.add if line.startswith(b"+") else watched.discard)(int(line[1:]))
    for group in watched:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _guard()
