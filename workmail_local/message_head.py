"""The header fields of a message: those that email flow looks at, and any others by name."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workmail_local.address_list import addresses
from workmail_local.decode_encoded_words import decode_encoded_words

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FIELD_BYTES: Final = 64 * 1024
"""How much of Subject, From and Sender is read; an attacker may send 40 MB of each (F16). An event carries 256
characters of the subject (E5)."""

MAX_HEAD_BYTES: Final = 256 * 1024
"""How much of a message's header is read. A search holds Python's lock, so this bounds how long others wait for it; the
header of a message to 500 recipients (F16) has a quarter of this."""

_HEAD_END: Final = re.compile(rb"(?:\A|\n)\r?\n")
_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class MessageHead:
    """The three header fields email flow looks at, decoded; the first of each name counts.

    Args:
        subject: Subject, its encoded words (RFC 2047) decoded; "" if there is none.
        from_: First address of the From field, without display name; "" if there is none.
        sender: Address of the Sender field; None if there is none.
    """

    subject: str
    from_: str
    sender: str | None

    @classmethod
    def parse(cls, message: bytes) -> MessageHead:
        """Read the head of an RFC 5322 message; never fails, whatever the bytes are.

        Takes linear time and reads the first `MAX_FIELD_BYTES` of each field in the first `MAX_HEAD_BYTES`.
        """
        fields: dict[str, bytes] = {}
        for name, value in header_fields(message, "subject", "from", "sender"):
            fields.setdefault(name, value)
        return cls(
            subject=decode_encoded_words(fields.get("subject", b"")[:MAX_FIELD_BYTES].decode("utf-8", "replace")),
            from_=_first_address(fields.get("from", b"")) or "",
            sender=_first_address(fields.get("sender", b"")),
        )


def header_fields(message: bytes, *names: str) -> Iterator[tuple[str, bytes]]:
    """Yield the header fields that have one of these names, in the message's order: name in lower case, unfolded value.

    Args:
        message: Any bytes; what is no header field is passed over, and so is what follows the first `MAX_HEAD_BYTES`.
        names: In lower case.
    """
    end = _HEAD_END.search(message, 0, MAX_HEAD_BYTES)
    for match in _pattern(names).finditer(message, 0, end.start() if end else MAX_HEAD_BYTES):
        yield match[1].decode("ascii").lower(), _FOLD.sub(b"", match[2]).strip()


@functools.cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[bytes]:
    named = "|".join(map(re.escape, names)).encode("ascii")
    return re.compile(rb"^(" + named + rb")[ \t]*+:((?:.*+\n[ \t])*+.*+)", re.IGNORECASE | re.MULTILINE)


def _first_address(field: bytes) -> str | None:
    if len(field) > MAX_FIELD_BYTES:
        field = field[:MAX_FIELD_BYTES].rpartition(b",")[0]  # no address that the cut made another
    return next(addresses(field.decode("utf-8", "replace")), None)
