"""The result of one invocation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class InvocationOutcome(StrEnum):
    """How an invocation ended."""

    REPLIED = "REPLIED"
    FUNCTION_ERROR = "FUNCTION_ERROR"
    """The handler raised, or returned a value that JSON cannot encode."""
    INIT_ERROR = "INIT_ERROR"
    """The code could not be loaded, or not within the 10 s that Lambda allows."""
    CRASHED = "CRASHED"
    """The process ended while it handled the event."""
    TIMED_OUT = "TIMED_OUT"
    """The function's own timeout passed; its process was killed."""
    WAITED_OUT = "WAITED_OUT"
    """The caller stopped waiting; the function was left running."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    """The function used more than its memory; its process was killed."""
    RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"
    """The encoded reply is larger than Lambda's 6 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One invocation's result.

    Attributes:
        payload: The reply, as encoded by the function; None unless `outcome` is REPLIED.
        error_type: Lambda's name for it, for example `KeyError` or `Runtime.ImportModuleError`; None on REPLIED.
        error_message: The function's or Lambda's message; None on REPLIED.
        stack_trace: The function's own stack, outermost call first; empty if there is none.
        log: Standard output and standard error of this invocation, in order, after those of its cold start.
        duration_s: Seconds from the event's dispatch to the outcome, without the cold start.
        init_s: Seconds of the cold start; None if the process was warm.
        notes: What differs from a run in AWS, for people; the same for all invocations of a function.
    """

    outcome: InvocationOutcome
    payload: bytes | None = None
    error_type: str | None = None
    error_message: str | None = None
    stack_trace: tuple[str, ...] = ()
    log: str = ""
    duration_s: float
    init_s: float | None = None
    request_id: str
    notes: tuple[str, ...] = ()
