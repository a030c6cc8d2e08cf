"""A prefix on a message's subject."""

from __future__ import annotations

import re

from workmail_runtime.edit.encoded_words import MAX_LINE, encode_words, starts_with_encoded_word

_REPLY_MARKER = re.compile(
    r"(?:re|r|fwd?|fw|aw|antw|wg|sv|vs|vb|tr|rv|rif|i|ang|doorst|odp|pd|ynt|ilt|enc|res|回复|答复|转发|返信|転送)"
    r"\s*(?:\[\d+\]|\(\d+\))?\s*[:\uff1a]\s*",
    re.IGNORECASE,
)
_TAG = re.compile(r"\[[^\[\]]{1,40}\]\s*")
_IN_SIGHT = 40  # characters; a list of messages shows this much of a subject on any screen


def has_prefix(subject: str, prefix: str) -> bool:
    """Whether a subject has a prefix where a reader sees it: at its start or close behind reply markers and tags."""
    text, wanted = " ".join(subject.split()).casefold(), prefix.casefold()
    position = 0
    while not _stands_at(text, position, wanted):
        marker = _REPLY_MARKER.match(text, position) or _TAG.match(text, position)
        if not marker or marker.end() + len(wanted) > _IN_SIGHT or not marker[0].isprintable():
            return False
        position = marker.end()
    return True


def _stands_at(text: str, position: int, prefix: str) -> bool:
    """Whether a prefix stands there as a word of its own: "EXT" is not in "External"."""
    end = position + len(prefix)
    return text.startswith(prefix, position) and not (prefix[-1:].isalnum() and text[end : end + 1].isalnum())


def prefixed(content: bytes, prefix: str, eol: bytes) -> bytes:
    """A Subject field with a prefix before its value, whose bytes stay."""
    colon = content.index(b":") + 1
    value_start = len(content) - len(content[colon:].lstrip(b" \t\r\n"))
    lead, value = content[:value_start], content[value_start:]
    if not value:  # no subject: the white space was all there was
        return content[:colon] + b" " + encode_words(prefix, eol=eol, width=colon + 1) + eol
    column = len(lead) - (lead.rfind(b"\n") + 1)
    encoded = encode_words(prefix, eol=eol, width=column, before_encoded_word=starts_with_encoded_word(value))
    first_line = len(value.partition(b"\n")[0].rstrip(b"\r"))
    fits = len(encoded.rpartition(b"\n")[2]) + column + 1 + first_line <= MAX_LINE
    return lead + encoded + (b" " if fits else eol + b" ") + value
