"""The parent of one function's process: it ends everything that the function started, however it was started.

Runs as its own process, so a function that kills its parent kills only this. Standard input is a pipe from the local
WorkMail: it closes to end the function, and when the local WorkMail itself is killed. On Linux, processes whose parent
has ended become children of this one and end with the function. Elsewhere those that left its process group stay.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> None:
    """Run the command until it ends or standard input closes; end as it did."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_up, woken = os.pipe()
    for end in (wake_up, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    function = os.fork()
    if function == 0:
        signal.set_wakeup_fd(-1)
        for changed in (signal.SIGCHLD, signal.SIGPIPE):  # Python ignores the second
            signal.signal(changed, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(command[0], command)  # noqa: S606 - that is the point
    status = None
    while status is None:
        readable, _, _ = select.select([0, wake_up], [], [])
        status = _reap(function)
        if 0 in readable:
            break
        with contextlib.suppress(BlockingIOError):
            os.read(wake_up, 4096)
    status = _end_all(function, status)
    if status < 0:  # by a signal: end by the same one
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _reap(function: int) -> int | None:
    """Collect the children that have ended; return how the function ended, or None."""
    ended = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == function:
                ended = os.waitstatus_to_exitcode(found[1])
    return ended


def _end_all(function: int, status: int | None) -> int:
    """Kill every child until there is none: those of a killed child become ours; return how the function ended."""
    while True:
        for child in _children() or ([] if status is not None else [function]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            pid, ended = os.waitpid(-1, 0)
        except ChildProcessError:
            return 0 if status is None else status
        if pid == function:
            status = os.waitstatus_to_exitcode(ended)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as children:
            return [int(child) for child in children.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    main(sys.argv[1:])
