"""Kills the functions' processes if this process ends before they do.

A separate process reads from a pipe which process groups run. The pipe closes when this process ends, even if it is
killed, and the guard then kills the groups that still run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys


class OrphanGuard:
    """Starts the guard process at the first `watch`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, process_group: int) -> None:
        """Kill this process group if we end before `forget`."""
        self._send(f"+{process_group}\n")

    def forget(self, process_group: int) -> None:
        """Stop watching a group that has ended."""
        self._send(f"-{process_group}\n")

    def close(self) -> None:
        """End the guard process; it kills the groups it still watches."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _send(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                start_new_session=True,  # an interrupt from the terminal reaches us, not the guard
            )
        assert self._process.stdin is not None  # noqa: S101 - opened above
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
