"""Where the fields of a header block lie in the message's bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_runtime.edit.reading import MAX_FIELDS, MAX_HEADER_BYTES
from workmail_runtime.edit.refusal import EditRefusal

if TYPE_CHECKING:
    from workmail_runtime.edit.reading import Reading

# Printable ASCII but the colon, and no space before the colon: what every parser agrees is a field.
_NAME = rb"([!-9;-~]++):"
_FIELD = re.compile(_NAME + rb"[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+(?:\r?\n|\Z)")
_FIELD_NAME = re.compile(_NAME)
_LINE = re.compile(rb"([^\r\n]*+)(?:\r\n|\n|\r|\Z)")
_FIELD_WITH_BARE_CR = re.compile(_NAME + rb"[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)")


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
        earliest_body: Where the body begins for programs that end a header at the first line that is no field.
        separator: What has to stand before the first byte of a body that is not there yet.
    """

    fields: tuple[HeaderField, ...]
    end: int
    body_start: int
    earliest_body: int
    separator: bytes

    def find(self, name: str) -> list[HeaderField]:
        """Every field of this name, in any case of letters."""
        wanted = name.lower()
        return [field for field in self.fields if field.name.lower() == wanted]


def line_ending(raw: bytes | bytearray, start: int, end: int) -> bytes:
    """The ending of the first line in a range; CRLF where it has none, as RFC 5322 section 2.1 wants."""
    newline = raw.find(b"\n", start, end)
    return b"\n" if (newline > start and raw[newline - 1] != 0x0D) or newline == start else b"\r\n"


def parse_header_block(raw: bytes | bytearray, start: int, end: int, *, part: str, reading: Reading) -> HeaderBlock:
    """Find the fields between two offsets.

    A line that is neither a field, a continuation nor the blank line is noted and skipped: parsers disagree on
    whether such a line ends the header. A carriage return without its line feed is noted and read in both ways, as the
    end of a line and as a space.

    Args:
        raw: The whole message.
        start: Where the block begins.
        end: Where the message or part ends.
        part: The part's name in a problem, for example "part 1.2".
        reading: Takes the problems. Where its limits are reached, the block ends.
    """
    fields: list[HeaderField] = []
    position, limit = start, min(end, start + reading.header_bytes)
    body_start = earliest_body = None
    while position < limit and reading.fields:
        reading.fields -= 1
        if match := _FIELD.match(raw, position, limit):
            fields.append(HeaderField(match[1].decode("ascii"), position, match.end(1) + 1, match.end()))
            position = match.end()
            continue
        content_end, line_end = _line(raw, position, limit)
        is_bare = raw[line_end - 1] == 0x0D
        if is_bare or content_end > position:
            _note(reading, raw, position, fields, part=part, is_bare=is_bare)
        if content_end == position:
            body_start = line_end
            break
        at_line_start = position == start or raw[position - 1] == 0x0A
        if is_bare and at_line_start and (match := _FIELD_WITH_BARE_CR.match(raw, position, limit)):
            # Programs to which a carriage return is a space read on; what follows is read as lines, too.
            fields.append(HeaderField(match[1].decode("ascii"), position, match.end(1) + 1, match.end()))
        if name := _FIELD_NAME.match(raw, position, line_end):
            fields.append(HeaderField(name[1].decode("ascii"), position, name.end(), line_end))
        elif raw[position] in b" \t" and fields:
            last = fields[-1]
            fields[-1] = HeaderField(last.name, last.start, last.value_start, line_end)
        elif earliest_body is None:
            earliest_body = position
        position = line_end
    reading.header_bytes -= position - start
    separator = b""
    if body_start is None:
        if position < end:
            found = f"more than {MAX_FIELDS:,} header fields, or more than {MAX_HEADER_BYTES:,} bytes of them"
            reading.note(EditRefusal.HEADER_TOO_LARGE, f"the message has {found}; {part} is where they end")
        body_start, eol = position, line_ending(raw, start, end)
        separator = eol if position == start or raw[position - 1] == 0x0A else eol * 2
    earliest_body = body_start if earliest_body is None else earliest_body
    return HeaderBlock(tuple(fields), position, body_start, earliest_body, separator)


def _line(raw: bytes | bytearray, position: int, limit: int) -> tuple[int, int]:
    """Where a line's content ends and where its line ending does; a carriage return alone ends a line as well."""
    match = _LINE.match(raw, position, limit)
    return (match.end(1), match.end()) if match else (limit, limit)


def _note(
    reading: Reading, raw: bytes | bytearray, position: int, fields: list[HeaderField], *, part: str, is_bare: bool
) -> None:
    if is_bare:
        found = "a carriage return without its line feed"
    elif raw[position] in b" \t":
        found = "a continuation line before the first field"
    else:
        found = "a line without a field name and colon"
    reading.note(
        EditRefusal.MALFORMED_HEADERS,
        f"the header of {part} has {found} after field {len(fields)}; only fields, continuations and the blank line"
        " may stand there",
    )
