"""What WorkMail would reject in an updated message, found before the call (C8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from workmail_flow.assumptions import IMMUTABLE_HEADERS, REQUIRED_HEADERS
from workmail_flow.limits import MAX_LINE_BYTES, MAX_MIME_BYTES
from workmail_flow.updated_content import UNIQUE_HEADERS, UNSUPPORTED_EXTENSIONS
from workmail_runtime.edit.encoded_words import decode_words
from workmail_runtime.edit.header_block import parse_header_block
from workmail_runtime.edit.parse_message import message_start, parse_message
from workmail_runtime.edit.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workmail_runtime.edit.message_editor import MessageEditor
    from workmail_runtime.edit.mime_part import MimePart
    from workmail_runtime.edit.parse_message import ParsedMessage

    _Piece = tuple[bytes | bytearray, int, int]
    """A buffer, and where the piece starts and ends in it."""


class ProblemCode(StrEnum):
    """What kind of rule of C8 is broken."""

    MALFORMED = "MALFORMED"
    TOO_LARGE = "TOO_LARGE"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    MISSING_HEADER = "MISSING_HEADER"
    REPEATED_HEADER = "REPEATED_HEADER"
    CHANGED_HEADER = "CHANGED_HEADER"
    BLOCKED_ATTACHMENT = "BLOCKED_ATTACHMENT"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for which WorkMail would reject a message; `message` holds no address and no text of it."""

    code: ProblemCode
    message: str

    def __str__(self) -> str:
        return self.message


def check_message(
    raw: bytes | bytearray | memoryview, *, original: bytes | bytearray | None = None
) -> tuple[Problem, ...]:
    """Find everything for which WorkMail would answer MessageRejected (C8).

    Inbound mail often does not meet C8 as it arrived (C9), so an update may be rejected for what was there before.
    That content is not ASCII is no reason: WorkMail advises to encode it.

    Args:
        raw: The message to be put.
        original: The message as it came, to compare the immutable headers with; None leaves that out.

    Returns:
        All problems; empty for a message that WorkMail would take.
    """
    if isinstance(raw, memoryview):
        raw = raw.tobytes()
    return (*_size_problems([(raw, 0, len(raw))]), *_structure_problems(parse_message(raw), original))


def check_edited(editor: MessageEditor, *, original: bytes | bytearray) -> tuple[Problem, ...]:
    """Find the same in an edited message, without joining it into another 40 MB (F16)."""
    parsed = parse_message(editor.outline(), size=editor.size)
    return (*_size_problems(editor.pieces()), *_structure_problems(parsed, original))


def _size_problems(pieces: Iterable[_Piece]) -> Iterator[Problem]:
    pieces = tuple(pieces)
    size = sum(end - start for _, start, end in pieces)
    if size > MAX_MIME_BYTES:
        yield Problem(ProblemCode.TOO_LARGE, f"the message has {size:,} bytes; {MAX_MIME_BYTES:,} are allowed (F16)")
    if (line := _long_line(pieces)) is not None:
        yield Problem(
            ProblemCode.LINE_TOO_LONG,
            f"the line at byte {line:,} is longer than {MAX_LINE_BYTES:,} bytes with its CRLF (RFC 5321 4.5.3.1.6)",
        )


def _structure_problems(parsed: ParsedMessage, original: bytes | bytearray | None) -> Iterator[Problem]:
    root, problem = parsed
    if problem is not None:
        yield Problem(ProblemCode.MALFORMED, problem.detail)
        return
    yield from _header_problems(root)
    if original is not None:
        yield from _changed_headers(root, original)
    for part in root.walk():
        extensions = [name.strip().rpartition(".")[2].lower() for name in part.filenames if "." in name]
        for extension in filter(UNSUPPORTED_EXTENSIONS.__contains__, extensions):
            yield Problem(
                ProblemCode.BLOCKED_ATTACHMENT, f"{part.name} is a .{extension} file, which Amazon SES does not take"
            )


def _long_line(pieces: Iterable[_Piece]) -> int | None:
    """Where the first line begins that is too long."""
    offset = 0  # of the piece in the message
    line = b""  # the beginning of the line that the pieces before end in
    line_start = 0
    for buffer, start, end in pieces:
        behind = buffer.find(b"\n", start, end) + 1
        line += bytes(buffer[start : min(behind or end, start + MAX_LINE_BYTES + 1)])
        if behind or len(line) > MAX_LINE_BYTES:
            if _is_too_long(line):
                return line_start
            last = buffer.rfind(b"\n", start, end) + 1
            if (found := _long_line_within(buffer, behind, last)) is not None:
                return offset + found - start
            line, line_start = bytes(buffer[last : min(end, last + MAX_LINE_BYTES + 1)]), offset + last - start
        offset += end - start
    return line_start if _is_too_long(line) else None


def _is_too_long(line: bytes) -> bool:
    """Whether a line is too long with the CRLF that it gets on its way."""
    text = line[:-1].removesuffix(b"\r") if line.endswith(b"\n") else line
    return len(text) + 2 > MAX_LINE_BYTES


def _long_line_within(raw: bytes | bytearray, start: int, end: int) -> int | None:
    """Where the first of some whole lines begins that is too long.

    From each line feed to the last one that a line of full length could reach: some thousand steps for 25 MB.
    """
    while start < end:
        limit = start + MAX_LINE_BYTES
        newline = raw.rfind(b"\n", start, min(limit, end))
        if newline < 0:
            return start
        if newline == limit - 1 and raw[newline - 1] != 0x0D and raw.rfind(b"\n", start, newline) < 0:
            return start  # the CRLF it gets on its way makes it too long
        start = newline + 1
    return None


def _header_problems(root: MimePart) -> Iterator[Problem]:
    counts: dict[str, int] = {}
    for entry in root.block.fields:
        counts[entry.name.lower()] = counts.get(entry.name.lower(), 0) + 1
    for name in REQUIRED_HEADERS:
        if name not in counts:
            yield Problem(ProblemCode.MISSING_HEADER, f"the message has no {name.title()} header, which it needs")
    for name in sorted(UNIQUE_HEADERS):
        if counts.get(name, 0) > 1:
            yield Problem(
                ProblemCode.REPEATED_HEADER, f"the message has {counts[name]} {name.title()} headers; one is allowed"
            )


def _changed_headers(root: MimePart, original: bytes | bytearray) -> Iterator[Problem]:
    reading = Reading(len(original))
    before = parse_header_block(original, message_start(original), len(original), part="the original", reading=reading)
    if reading.problem is not None:
        return  # nothing can be compared; the structure of what is put was checked
    for name in IMMUTABLE_HEADERS:
        old = [decode_words(bytes(original[entry.value_start : entry.end])) for entry in before.find(name)]
        new = [decode_words(root.field_value(entry)) for entry in root.block.find(name)]
        if old != new:
            yield Problem(
                ProblemCode.CHANGED_HEADER, f"the update changes {name.title()}, which has to stay as it came"
            )
