"""Finding a message's parts: leniently, to look at it, and noting what makes it unsafe to edit."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from workmail_runtime.edit.content_value import parse_content_value
from workmail_runtime.edit.header_block import parse_header_block
from workmail_runtime.edit.mime_part import MimePart
from workmail_runtime.edit.reading import MAX_DEPTH, MAX_PARTS, Reading
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError
from workmail_runtime.edit.transfer_encoding import IDENTITY_ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global"})
_MAX_ATTACHED = 10  # messages in one another
_LONGEST_PADDING = 1_000  # behind a delimiter: longer than a line of mail may be
_REST_OF_DELIMITER = re.compile(rb"(--)?+([ \t]*+)(?:(\r?\n|\Z)|\r)")
_ANY_DELIMITER = re.compile(rb"(?:\A|[\r\n])--([^\r\n]{1,200})")


class ParsedMessage(NamedTuple):
    """A message's parts, and why they cannot be told for certain.

    Attributes:
        root: The message as a tree of parts.
        problem: Why mail programs may read it in different ways, or why it was not read to its end; None for a sound
            message.
    """

    root: MimePart
    problem: EditRefusedError | None


def parse_message(raw: bytes | bytearray, *, size: int | None = None) -> ParsedMessage:
    """Find a message's parts, in a damaged one at least those that mail programs find; never raises.

    message/rfc822 parts are not entered.

    Args:
        raw: The message.
        size: Bytes of the whole message, where `raw` is an outline of it.
    """
    reading = Reading(len(raw) if size is None else size)
    root = _parse_part(raw, message_start(raw), len(raw), name="the message", reading=reading)
    if not root.block.fields:
        reading.note(EditRefusal.MALFORMED_HEADERS, "the message has no header field")
    return ParsedMessage(root, reading.problem)


def message_start(raw: bytes | bytearray) -> int:
    """Where a message's header begins: the first line of an mbox entry is no field."""
    return (raw.find(b"\n") + 1 or len(raw)) if raw.startswith(b"From ") else 0


class FoundAttachments(NamedTuple):
    """The parts that a mail program offers as files, and why there may be others."""

    parts: tuple[MimePart, ...]
    problem: EditRefusedError | None


def find_attachments(root: MimePart) -> FoundAttachments:
    """Find the attachments of a message and of the messages attached to it; never raises."""
    reading = Reading(root.end)
    return FoundAttachments(tuple(_attachments(root, reading, 0)), reading.problem)


def _attachments(root: MimePart, reading: Reading, depth: int) -> Iterator[MimePart]:
    for part in root.walk():
        if part.is_attachment:
            yield part
        if part.content_type not in _MESSAGE_TYPES:
            continue
        if depth == _MAX_ATTACHED or not reading.parts or not reading.may_scan(part.size):
            reading.note(EditRefusal.TOO_DEEP, f"{part.name} lies in more attached messages than are looked into")
            continue
        raw, start, end = part.raw, part.block.body_start, part.end
        if part.transfer_encoding not in IDENTITY_ENCODINGS:
            raw = part.content()
            start, end = 0, len(raw)
        attached = _parse_part(raw, start, end, name=part.name, reading=reading)
        yield from _attachments(attached, reading, depth + 1)


def _parse_part(
    raw: bytes | bytearray,
    start: int,
    end: int,
    *,
    name: str,
    reading: Reading,
    default: str = "text/plain",
    parent: MimePart | None = None,
    depth: int = 0,
) -> MimePart:
    reading.parts -= 1
    block = parse_header_block(raw, start, end, part=name, reading=reading)
    values = [parse_content_value(bytes(raw[entry.value_start : entry.end])) for entry in block.find("content-type")]
    if len(values) > 1 or len(block.find("content-transfer-encoding")) > 1:
        reading.note(
            EditRefusal.MALFORMED_HEADERS, f"{name} declares its content twice; each Content- field may stand once"
        )
    value = next((value for value in values if value.word.startswith("multipart/")), values[0] if values else None)
    content_type = value.word if value else default
    if content_type.count("/") != 1 or content_type.startswith("/") or content_type.endswith("/"):
        content_type = "text/plain"  # RFC 2045 section 5.2: what cannot be understood is plain text
        if value and "boundary" in value.parameters:
            reading.note(EditRefusal.MALFORMED_HEADERS, f"{name} has a boundary and a Content-Type that is no type")
    part = MimePart(raw, start, end, block, content_type, value.parameters if value else {}, name, parent)
    if part.is_multipart:
        if value and any(repeated == "boundary" for repeated, _ in value.repeated):
            _note(reading, part, "two different boundaries")
        if depth >= MAX_DEPTH:
            reading.note(EditRefusal.TOO_DEEP, f"{name} is nested deeper than {MAX_DEPTH} multiparts")
        else:
            _parse_children(part, depth, reading)
    return part


def _parse_children(part: MimePart, depth: int, reading: Reading) -> None:
    raw = part.raw
    if part.transfer_encoding not in IDENTITY_ENCODINGS:
        found = f"a Content-Transfer-Encoding {part.transfer_encoding!r}, which no multipart may have"
        _note(reading, part, found)
    spans = _find_delimiters(part, part.boundary, reading)
    if not spans:
        _note(reading, part, "no delimiter with its boundary" if part.boundary else "no boundary parameter")
        guessed = _ANY_DELIMITER.search(raw, part.block.earliest_body, part.end)
        spans = _find_delimiters(part, guessed[1].rstrip(b" \t"), reading) if guessed else []
    closing = next((index for index, (_, _, is_closing) in enumerate(spans) if is_closing), None)
    if spans and closing is None:
        _note(reading, part, f"{len(spans)} delimiters and no closing one")
        spans.append((part.end, part.end, True))
    elif closing == 0:
        _note(reading, part, "a closing delimiter and no part")
    elif closing is not None:
        if not all(is_closing for _, _, is_closing in spans[closing:]):
            _note(reading, part, "a delimiter behind its closing one")
        else:
            del spans[closing + 1 :]
    part.delimiters = [start for start, _, _ in spans]
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    prefix = "part " if part.parent is None and not part.name.startswith("part ") else f"{part.name}."
    for index, ((_, start, is_closing), (following, _, _)) in enumerate(itertools.pairwise(spans), start=1):
        if is_closing:
            continue  # what stands between a closing delimiter and another one is no part
        if following == start < part.end:
            _note(reading, part, f"nothing between delimiters {index} and {index + 1}")
        if not reading.parts:
            reading.note(EditRefusal.TOO_MANY_PARTS, f"{prefix}{index} is one of more than {MAX_PARTS:,} parts")
            return
        child = _parse_part(
            raw,
            start,
            max(start, _before_line_ending(raw, start, following)),
            name=f"{prefix}{index}",
            reading=reading,
            default=default,
            parent=part,
            depth=depth + 1,
        )
        part.children.append(child)


def _before_line_ending(raw: bytes | bytearray, start: int, end: int) -> int:
    """Where a part ends: the line ending before a delimiter belongs to the delimiter."""
    if raw[end - 1 : end] == b"\n" and end > start:
        end -= 1
    if raw[end - 1 : end] == b"\r" and end > start:
        end -= 1
    return end


def _find_delimiters(part: MimePart, boundary: bytes, reading: Reading) -> list[tuple[int, int, bool]]:
    """Each delimiter line's start and end, and whether it is a closing one; only whole lines count."""
    raw, begin, end = part.raw, part.block.earliest_body, part.end
    needle = b"--" + boundary
    spans: list[tuple[int, int, bool]] = []
    if not boundary:
        return spans
    if not reading.may_scan(end - begin):
        reading.note(EditRefusal.TOO_DEEP, f"{part.name} lies in more multiparts than so large a message may have")
        return spans
    position = raw.find(needle, begin, end)
    while position >= 0:
        behind = position + len(needle)
        before = raw[position - 1] if position > begin else 0x0A
        rest = _REST_OF_DELIMITER.match(raw, behind, end)
        if before in b"\r\n" and rest:
            if before == 0x0D:
                _note(reading, part, "a carriage return without its line feed before a delimiter")
            if rest[3] is None:
                _note(reading, part, "a carriage return without its line feed in a delimiter")
            if len(rest[2]) > _LONGEST_PADDING:
                _note(reading, part, f"a delimiter with {_LONGEST_PADDING:,} spaces or more behind it")
            spans.append((position, rest.end(), rest[1] is not None))
        else:
            reading.lookalikes -= 1
        if reading.lookalikes < 0:
            _note(reading, part, "thousands of places that look like its delimiter")
            break
        if len(spans) > MAX_PARTS + 1:
            reading.note(EditRefusal.TOO_MANY_PARTS, f"{part.name} has more than {MAX_PARTS:,} parts")
            break
        position = raw.find(needle, behind, end)
    return spans


def _note(reading: Reading, part: MimePart, found: str) -> None:
    reading.note(
        EditRefusal.MALFORMED_MULTIPART,
        f"{part.name} ({part.content_type}) has {found}; a multipart needs its boundary before each part and, with two"
        " hyphens more, after the last",
    )
