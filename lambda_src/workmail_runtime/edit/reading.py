"""What one pass over a message finds wrong, and how much it may still look at."""

from __future__ import annotations

from dataclasses import dataclass

from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError

MAX_DEPTH = 50
"""Multiparts nested deeper are refused; real mail stays below ten."""

MAX_PARTS = 2_000
"""Messages with more parts are refused: WorkMail takes 500 attachments (F16), and each part costs time."""

MAX_FIELDS = 10_000
"""Header fields of a message, those of its parts included. Real mail has some hundreds."""

MAX_HEADER_BYTES = 2 * 1024 * 1024
"""Bytes of all header blocks together. Real mail stays below a tenth of it."""

_MAX_LOOKALIKES = 10_000  # places that begin as a delimiter does; each costs a microsecond
_SCANS = 10  # a body inside n multiparts is searched n times for delimiters; this many times a large message
_FREE_SCAN = 4 * 1024 * 1024


@dataclass(slots=True)
class Reading:
    """The first problem, and what is left of each limit, so that time and memory grow with the message alone.

    Attributes:
        size: Bytes of the message.
        problem: Why mail programs may read the message in different ways, or why it was not read to its end.
    """

    size: int
    problem: EditRefusedError | None = None
    fields: int = MAX_FIELDS
    header_bytes: int = MAX_HEADER_BYTES
    parts: int = MAX_PARTS
    lookalikes: int = _MAX_LOOKALIKES
    scanned: int = 0

    def note(self, reason: EditRefusal, detail: str) -> None:
        """Keep a problem, unless there is one already."""
        if self.problem is None:
            self.problem = EditRefusedError(reason, detail)

    def may_scan(self, size: int) -> bool:
        """Whether this many bytes may be searched once more."""
        self.scanned += size
        return self.scanned <= _FREE_SCAN + _SCANS * self.size
