"""What keeps a step from doing its work. Whether the mail goes on is decided by the step's `on_failure`."""

from __future__ import annotations


class StepError(Exception):
    """A step could not do its work; the message says why, without an address, a subject or content."""


class OutOfTimeError(StepError):
    """The time for the step was over before it was done."""


class BusyError(StepError):
    """Another attempt of the same invocation does the step's work at this moment; this one has to come again (E7)."""
