"""Character sets as mail names them, decoded without failing whoever wrote the bytes."""

from __future__ import annotations

import codecs
from typing import Final

_NOT_FOR_MAIL: Final = {"idna", "punycode", "raw-unicode-escape", "unicode-escape"}
"""Python codecs that are no character sets; decoding punycode takes quadratic time."""


def codec_of(charset: str) -> str | None:
    """Return the name of Python's codec for a character set; None if there is none for mail."""
    try:
        codec = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    return None if codec in _NOT_FOR_MAIL else codec


def decode(octets: bytes | bytearray, codec: str, *, otherwise: str) -> str:
    """Decode bytes; a broken character becomes U+FFFD or "?".

    Args:
        octets: Any bytes.
        codec: As `codec_of` returned it.
        otherwise: The codec if this one is from bytes to bytes, or knows no replacement.
    """
    try:
        text = octets.decode(codec, "replace")
    except (LookupError, ValueError):
        text = octets.decode(otherwise, "replace")
    return text.encode("utf-8", "replace").decode("utf-8")  # UTF-7, for one, can name half a surrogate pair
