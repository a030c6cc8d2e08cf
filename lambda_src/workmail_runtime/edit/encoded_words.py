"""Header text and its encoded words (RFC 2047)."""

from __future__ import annotations

import binascii
import re

from workmail_runtime.edit.charset import find_codec

_ENCODED_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\r\n]*)\?=")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
# An encoded word may have 75 characters (RFC 2047 section 2); 45 octets make 60 in base64.
_OCTETS_PER_WORD = 45
# A longer word cannot be folded and would not fit a line of 998 characters beside its field's name.
_LONGEST_WORD = 900
MAX_LINE = 78
"""Where a header line we write is folded (RFC 5322 section 2.1.1)."""


def decode_words(value: bytes) -> str:
    """The text of an unstructured field: unfolded, encoded words decoded, trimmed.

    A character split between two words of one character set, raw 8-bit text and unknown character sets are
    read as well as they can be; nothing raises.
    """
    value = _FOLD.sub(b"", value)
    pieces: list[tuple[str, list[bytes]]] = []  # character set ("" for raw text), octets of each word
    position = 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[position : match.start()]
        if between and not (pieces and pieces[-1][0] and not between.strip(b" \t")):
            pieces.append(("", [between]))
        charset = match[1].decode("latin-1").lower()
        octets = _decode_octets(match[2], match[3])
        if octets is None:
            pieces.append(("", [match[0]]))
        elif pieces and pieces[-1][0] == charset:
            pieces[-1][1].append(octets)
        else:
            pieces.append((charset, [octets]))
        position = match.end()
    pieces.append(("", [value[position:]]))
    return "".join(decode_octets(charset, b"".join(octets)) for charset, octets in pieces).strip(" \t\r\n")


def decode_octets(charset: str, octets: bytes) -> str:
    """Text in a declared character set ("" for none), read as well as it can be; never raises."""
    # Only character sets of mail: Python's punycode, for one, takes a time that grows with the square of the text.
    codec = find_codec(charset) if charset else None
    for known in filter(None, (codec, "utf-8")):
        try:
            return octets.decode(known)
        except ValueError:
            continue
    # A broken character must not hide the words before it, a prefix for one.
    return octets.decode(codec or "latin-1", "replace")


def encode_words(text: str, *, eol: bytes, width: int = 0, before_encoded_word: bool = False) -> bytes:
    """Text as a field's value: ASCII as it is, the rest as UTF-8 encoded words, folded before column 78.

    Args:
        text: Without line endings.
        eol: What to fold with.
        width: Columns that already stand on the first line.
        before_encoded_word: Whether an encoded word follows. White space between two of them is not shown (RFC 2047
            section 6.2), so a space then goes into the last one.
    """
    folded = b""
    for token in _tokens(text, before_encoded_word=before_encoded_word):
        if folded and width + 1 + len(token) > MAX_LINE:
            folded += eol + b" "
            width = 1
        elif folded:
            folded += b" "
            width += 1
        folded += token
        width += len(token)
    return folded


def starts_with_encoded_word(value: bytes) -> bool:
    """Whether the first thing in a field's value is an encoded word."""
    return _ENCODED_WORD.match(value.lstrip(b" \t\r\n")) is not None


def _tokens(text: str, *, before_encoded_word: bool) -> list[bytes]:
    """The words of a text; each run of words that need encoding becomes encoded words with their spaces."""
    tokens: list[bytes] = []
    run: list[str] = []
    for word in [*text.split(" "), None]:
        if word is not None and _needs_encoding(word):
            run.append(word)
            continue
        if run:
            tokens += _encoded(" ".join(run) + " " * (before_encoded_word and word is None))
            run = []
        if word is not None:
            tokens.append(word.encode("ascii"))
    return tokens


def _needs_encoding(word: str) -> bool:
    return not word.isascii() or "=?" in word or not word.isprintable() or len(word) > _LONGEST_WORD


def _encoded(text: str) -> list[bytes]:
    words: list[bytes] = []
    octets = b""
    for character in [*text, ""]:
        encoded = character.encode("utf-8", "replace")
        if octets and (not character or len(octets) + len(encoded) > _OCTETS_PER_WORD):
            words.append(b"=?utf-8?b?" + binascii.b2a_base64(octets, newline=False) + b"?=")
            octets = b""
        octets += encoded
    return words


def _decode_octets(encoding: bytes, content: bytes) -> bytes | None:
    if encoding in b"qQ":
        return binascii.a2b_qp(content, header=True)
    try:
        return binascii.a2b_base64(content + b"=" * (-len(content) % 4))
    except binascii.Error:
        return None
