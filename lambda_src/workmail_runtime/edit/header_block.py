"""Where the fields of a header block lie in the message's bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError

# Printable ASCII but the colon, and no space before the colon: what every parser agrees is a field.
_FIELD_NAME = re.compile(rb"([!-9;-~]+):")


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field, as offsets into the message; `end` lies behind its last line ending."""

    name: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """The fields of a message or part.

    Attributes:
        fields: In their order.
        end: Behind the last field, before the blank line.
        body_start: Behind the blank line; the end of the part where there is none.
        separator: What has to stand before the first byte of a body that is not there yet.
    """

    fields: tuple[HeaderField, ...]
    end: int
    body_start: int
    separator: bytes

    def find(self, name: str) -> list[HeaderField]:
        """Every field of this name, in any case of letters."""
        wanted = name.lower()
        return [field for field in self.fields if field.name.lower() == wanted]


def line_ending(raw: bytes | bytearray, start: int, end: int) -> bytes:
    """The ending of the first line in a range; CRLF where it has none, as RFC 5322 section 2.1 wants."""
    newline = raw.find(b"\n", start, end)
    return b"\n" if (newline > start and raw[newline - 1] != 0x0D) or newline == start else b"\r\n"


def parse_header_block(raw: bytes | bytearray, start: int, end: int, *, part: str) -> HeaderBlock:
    """Find the fields between two offsets.

    Args:
        raw: The whole message.
        start: Where the block begins.
        end: Where the message or part ends.
        part: The part's name in an error, for example "part 1.2".

    Raises:
        EditRefusedError: A line is neither a field, a continuation nor the blank line: parsers disagree on
            whether such a line ends the header, so nothing behind it is safe to edit.
    """
    fields: list[HeaderField] = []
    position = start
    while position < end:
        newline = raw.find(b"\n", position, end)
        line_end = end if newline < 0 else newline + 1
        content_end = line_end - 1 if newline >= 0 else line_end
        if content_end > position and raw[content_end - 1] == 0x0D:
            content_end -= 1
        if content_end == position:
            return HeaderBlock(tuple(fields), position, line_end, b"")
        if raw.find(b"\r", position, content_end) >= 0:
            raise _malformed(part, len(fields), "a carriage return without its line feed")
        if raw[position] in b" \t":
            if not fields:
                raise _malformed(part, 0, "a continuation line before the first field")
            last = fields[-1]
            fields[-1] = HeaderField(last.name, last.start, last.value_start, line_end)
        elif match := _FIELD_NAME.match(raw, position, content_end):
            fields.append(HeaderField(match[1].decode("ascii"), position, match.end(), line_end))
        else:
            raise _malformed(part, len(fields), "a line without a field name and colon")
        position = line_end
    eol = line_ending(raw, start, end)
    ended = position == start or raw[position - 1] == 0x0A
    return HeaderBlock(tuple(fields), position, position, eol if ended else eol * 2)


def _malformed(part: str, behind: int, found: str) -> EditRefusedError:
    return EditRefusedError(
        EditRefusal.MALFORMED_HEADERS,
        f"the header of {part} has {found} after field {behind}; only fields, continuations and the blank line"
        " may stand there",
    )
