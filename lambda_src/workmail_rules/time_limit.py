"""Ends work whose time is over, wherever it waits, before Lambda ends the function."""

from __future__ import annotations

import signal
import threading
import time

from workmail_rules.step_errors import OutOfTimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeVar

    _T = TypeVar("_T")

_SHIELD_S: Final = 0.02
"""How soon shielded work is asked again whether it is done."""

_shielded = False


class _OverError(BaseException):
    """Not an `Exception`: a step, or a library that tries again after errors, must not catch it."""


def run_within(seconds: float, do: Callable[[], _T]) -> _T:
    """Do something, and end it after some seconds; with none left, it is not begun.

    Only the main thread, in which Lambda runs handlers, gets signals; elsewhere nothing is ended. An alarm that was set
    before goes on afterwards. Code in C that never looks for signals is not ended.

    Raises:
        OutOfTimeError: The time was over.
    """
    if seconds <= 0:
        message = "found no time left to begin"
        raise OutOfTimeError(message)
    if threading.current_thread() is not threading.main_thread():
        return do()
    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _over)
    outer_s, interval_s = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            return do()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _OverError as over:
        message = f"found no end after {seconds:.1f} s, which was the time left"
        raise OutOfTimeError(message) from over
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        if outer_s:
            left_s = max(outer_s - (time.monotonic() - started), _SHIELD_S)
            signal.setitimer(signal.ITIMER_REAL, left_s, interval_s)


def run_shielded(do: Callable[[], _T]) -> _T:
    """Do something short that `run_within` does not end in the middle; it has to end itself."""
    global _shielded
    _shielded = True
    try:
        return do()
    finally:
        _shielded = False


def _over(*_: object) -> None:
    if not _shielded:
        raise _OverError
    signal.setitimer(signal.ITIMER_REAL, _SHIELD_S)
