"""The value of Content-Type and Content-Disposition: a word and its parameters (RFC 2045, RFC 2231)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from workmail_runtime.edit.encoded_words import decode_octets, decode_words

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPACE = " \t\r\n"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("|\Z)', re.DOTALL)
_CONTINUED = re.compile(r"(.+?)\*(\d{1,6})?(\*)?$")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
# Unquoted spaces are wrong but frequent in names, and nothing but names is shown.
_MAY_HOLD_SPACES = frozenset({"name", "filename"})
_LONGEST_KEPT = 200  # bytes: most values are short, and the same in one message after the other


@dataclass(frozen=True, slots=True)
class ContentValue:
    """A parsed value.

    Attributes:
        word: The media type or disposition, in lower case; empty where there is none.
        parameters: By lower-case name, decoded; the first of two with one name counts.
        repeated: What parameters say when they come again, which some programs take instead.
        spans: Where each parameter's value lies, its quotes included, as offsets into the field's value.
            A parameter in RFC 2231 form has none.
    """

    word: str
    parameters: Mapping[str, str]
    repeated: tuple[tuple[str, str], ...]
    spans: Mapping[str, tuple[int, int]]


def parse_content_value(value: bytes) -> ContentValue:
    """Parse a field's value, comments, folding and wrong quoting included; never raises."""
    return _kept(value) if len(value) <= _LONGEST_KEPT else _parsed(value)


def _parsed(value: bytes) -> ContentValue:
    # One character a byte keeps the offsets, and keeps a boundary's 8-bit characters what they were.
    text = value.decode("latin-1")
    position = _skip_space(text, 0)
    word_end = _word_end(text, position)
    word = re.sub(r"\s", "", text[position:word_end]).lower()
    found: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    spans: dict[str, tuple[int, int]] = {}
    position = word_end
    while (position := text.find(";", _skip_space(text, position))) >= 0:
        position = _skip_space(text, position + 1)
        name_end = position
        while name_end < len(text) and text[name_end] not in "=;":
            name_end += 1
        name = text[position:name_end].strip(_SPACE).lower()
        if name_end == len(text) or text[name_end] == ";":
            position = name_end
            continue
        start = _skip_space(text, name_end + 1)
        if quoted := _QUOTED.match(text, start):
            content, end = re.sub(r"\\(.)", r"\1", re.sub(r"\r?\n", "", quoted[1])), quoted.end()
        else:
            end = _word_end(text, start)
            content = text[start:end].rstrip(_SPACE)
            if name.partition("*")[0] not in _MAY_HOLD_SPACES:
                content = content.split(maxsplit=1)[0] if content.strip() else ""
            end = start + len(content)
        if name not in found:
            found[name] = content
            spans[name] = (start, end)
        elif found[name] != content:
            repeated += _decode_parameters({name: content})
        position = end
    decoded = _decode_parameters(found)
    parameters = dict(decoded)
    repeated += [(name, content) for name, content in decoded if content != parameters[name]]
    return ContentValue(word, parameters, tuple(repeated), {name: spans[name] for name in parameters if name in spans})


_kept = lru_cache(500)(_parsed)


def _skip_space(text: str, position: int) -> int:
    """The first offset behind white space and comments, nested ones included."""
    depth = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and depth:
            position += 1
        elif character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth and character not in _SPACE:
            return position
        position += 1
    return len(text)


def _word_end(text: str, position: int) -> int:
    """Where an unquoted word ends: at a semicolon, or at a comment that follows it."""
    end = text.find(";", position)
    end = len(text) if end < 0 else end
    comment = text.find("(", position, end)
    return position + len(text[position:comment].rstrip()) if comment >= 0 else end


def _decode_parameters(found: Mapping[str, str]) -> list[tuple[str, str]]:
    """Join RFC 2231 continuations, and decode their character set or the RFC 2047 words used instead.

    Returns:
        Names and contents; what is in RFC 2231 form comes last, because it counts more than the plain form.
    """
    decoded: list[tuple[str, str]] = []
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, content in found.items():
        if match := _CONTINUED.match(name):
            pieces.setdefault(match[1], []).append(
                (int(match[2] or 0), match[3] is not None or match[2] is None, content)
            )
        elif name in _MAY_HOLD_SPACES:
            decoded.append((name, decode_words(content.encode("latin-1"))))
        else:
            decoded.append((name, content))
    for name, parts in pieces.items():
        pieces_of_data: list[bytes] = []
        charset = "utf-8"
        for index, (_, is_encoded, content) in enumerate(sorted(parts, key=lambda part: part[0])):
            octets = content.encode("latin-1")
            if is_encoded:
                if index == 0 and octets.count(b"'") >= 2:
                    label, _, octets = octets.split(b"'", 2)
                    charset = label.decode("latin-1") or charset
                octets = _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), octets)
            pieces_of_data.append(octets)
        data = b"".join(pieces_of_data)
        if name == "boundary":
            decoded.append((name, data.decode("latin-1")))
        else:
            decoded.append((name, decode_octets(charset, data)))
    return decoded
