"""The part of Lambda's context object that the runtime uses. Only type checkers load this module."""

from __future__ import annotations

from typing import Protocol


class LambdaContext(Protocol):
    """Lambda's context of one invocation."""

    @property
    def aws_request_id(self) -> str:
        """The id of this attempt; each retry has its own."""
        ...

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before Lambda ends the function."""
        ...
