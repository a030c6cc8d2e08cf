"""The header fields of a message that email flow looks at, decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"^(subject|from|sender)[ \t]*:((?:.*\r?\n[ \t])*.*)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"\r?\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class MessageHead:
    """The three header fields email flow looks at, decoded; the first of each name counts.

    Args:
        subject: Subject, its encoded words (RFC 2047) decoded; "" if there is none.
        from_: Address of the From field, without display name; "" if there is none.
        sender: Address of the Sender field; None if there is none.
    """

    subject: str
    from_: str
    sender: str | None

    @classmethod
    def parse(cls, message: bytes) -> MessageHead:
        """Read the head of an RFC 5322 message; never fails, whatever the bytes are."""
        end = _HEAD_END.search(message)
        fields: dict[str, str] = {}
        for match in _FIELD.finditer(message, 0, end.start() if end else len(message)):
            name = match[1].decode("ascii").lower()
            if name not in fields:
                fields[name] = _FOLD.sub("", match[2].decode("utf-8", "replace")).strip()
        return cls(
            subject=decode_encoded_words(fields.get("subject", "")),
            from_=_address(fields.get("from", "")) or "",
            sender=_address(fields.get("sender", "")),
        )


def decode_encoded_words(text: str) -> str:
    """Decode RFC 2047 encoded words; what cannot be decoded stays as it stands in the message."""
    if "=?" not in text:
        return text
    try:
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii", "replace")
            for part, charset in decode_header(text)
        )
    except (HeaderParseError, LookupError, ValueError):
        return text


def _address(field: str) -> str | None:
    """Return the first address of an address field, or None."""
    return next((address for _, address in getaddresses([field]) if "@" in address), None)
