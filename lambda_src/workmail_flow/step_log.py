"""The line that a rule with steps writes to its log per invocation: what each step did, and why."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

STEPS_KEY: Final = "workmailSteps"
"""The key of the list of steps. Each has `step`, `result` (one of `RESULTS`), `notes` and `ms`."""

RESULTS: Final = ("DONE", "FAILED", "NOT_FOR_THIS_MESSAGE", "NOBODY_LEFT")

_RESULT_WORDS: Final = {
    "DONE": "done",
    "FAILED": "failed",
    "NOT_FOR_THIS_MESSAGE": "not for this message",
    "NOBODY_LEFT": "not run, nobody is left",
}


def read_step_log(log: str) -> tuple[list[dict[str, Any]], str]:
    """Return the steps that a function's log tells of, and the log without those lines."""
    steps: list[dict[str, Any]] = []
    others = []
    for line in log.splitlines(keepends=True):
        found = _steps_of(line) if f'"{STEPS_KEY}"' in line else None
        if found is None:
            others.append(line)
        else:
            steps += found
    return steps, "".join(others)


def step_lines(steps: list[dict[str, Any]]) -> list[str]:
    """Return what each step did and why, for people."""
    width = max((len(each["step"]) for each in steps), default=0)
    return [
        f"step {each['step']:<{width}}  {_RESULT_WORDS.get(each['result'], each['result'])}"
        + (f": {'; '.join(each['notes'])}" if each["notes"] else "")
        + (f" ({each['ms']} ms)" if each["result"] in ("DONE", "FAILED") else "")
        for each in steps
    ]


def _steps_of(line: str) -> list[dict[str, Any]] | None:
    """Read the steps of a line; None if it only looks like one, for a function may print what it likes."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    steps = found.get(STEPS_KEY) if isinstance(found, dict) else None
    if not isinstance(steps, list):
        return None
    return steps if all(_is_step(each) for each in steps) else None


def _is_step(value: object) -> bool:
    match value:
        case {"step": str(), "result": str(), "notes": list(notes), "ms": int()}:
            return all(isinstance(each, str) for each in notes)
        case _:
            return False
