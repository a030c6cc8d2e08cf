"""Writes what each step did for a message, and why: one line per invocation, without addresses."""

from __future__ import annotations

import json
import os
import traceback

from workmail_flow.step_log import STEPS_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from workmail_runtime.event import Event

MAX_NOTE_CHARACTERS: Final = 300

_OURS: Final = ("workmail_rules", "workmail_runtime")
"""The packages whose errors have a text that may be logged."""


class StepLog:
    """What the steps of one invocation did so far."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._steps: list[dict[str, Any]] = []

    def add(self, step: str, result: str, notes: Iterable[str] = (), *, ms: float = 0) -> None:
        """Add what a step did: its result, of `workmail_flow.step_log.RESULTS`, and why."""
        self._steps.append({"step": step, "result": result, "notes": list(notes), "ms": round(ms)})

    def write(self) -> None:
        """Write the line; like CloudWatch's metrics to standard output, so that no log level hides it."""
        event = self._event
        ids = {"invocationId": event.invocation_id, "messageId": event.message_id}
        line = {STEPS_KEY: self._steps, **ids, "recipients": len(event.recipients)}
        print(json.dumps(line, separators=(",", ":")), flush=True)


def loggable(text: str) -> str:
    """Return a text without addresses, on one line, and not longer than a note may be."""
    words = ("(address)" if "@" in word else word for word in text[: 2 * MAX_NOTE_CHARACTERS].split())
    return " ".join(words)[:MAX_NOTE_CHARACTERS]


def shown_error(error: BaseException) -> str:
    """Return an error without what others may have put into its text: addresses, subjects, content.

    Of an error that is not ours, its name and its place in the code are left.
    """
    name = type(error).__name__
    if is_ours(error):
        return f"{name}: {loggable(str(error))}"
    frames = traceback.extract_tb(error.__traceback__)
    place = [f" at {os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames[-1:]]
    return name + "".join(place)


def is_ours(error: BaseException) -> bool:
    """Whether the error's text is ours, and so holds nothing of the message."""
    return type(error).__module__.partition(".")[0] in _OURS
