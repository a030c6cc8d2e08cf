"""The tree of a message's parts, as offsets into its bytes."""

from __future__ import annotations

import binascii
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workmail_runtime.edit.content_value import ContentValue, parse_content_value
from workmail_runtime.edit.header_block import HeaderBlock, HeaderField, parse_header_block
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPTH = 50
"""Multiparts nested deeper are refused; real mail stays below ten."""

MAX_PARTS = 2_000
"""Messages with more parts are refused: WorkMail takes 500 attachments (F16), and each part costs time."""

_LONGEST_PADDING = 1_000  # behind a delimiter: longer than a line of mail may be
_HTML_TYPES = frozenset({"text/html", "text/x-amp-html", "text/watch-html"})
_TEXT_TYPES = _HTML_TYPES | {"text/plain"}


@dataclass(eq=False, slots=True)
class MimePart:
    """One part of a message, or the message itself; a view that copies nothing until asked.

    Attributes:
        raw: The whole message.
        start: Where the part's header begins.
        end: Behind its last byte; the line ending before the next delimiter belongs to the delimiter.
        block: Its header fields.
        content_type: In lower case, after the defaults of RFC 2045 section 5.2 and RFC 2046 section 5.1.5.
        parameters: Of its Content-Type, by lower-case name.
        name: For messages to a developer: "the message", "part 1.2".
        parent: The multipart around it.
        children: The parts of a multipart.
        delimiters: Of a multipart: where each delimiter line starts, the closing one last.
    """

    raw: bytes | bytearray = field(repr=False)
    start: int
    end: int
    block: HeaderBlock = field(repr=False)
    content_type: str
    parameters: Mapping[str, str]
    name: str
    parent: MimePart | None = field(default=None, repr=False)
    children: list[MimePart] = field(default_factory=list)
    delimiters: list[int] = field(default_factory=list, repr=False)

    @property
    def is_multipart(self) -> bool:
        """Whether it holds other parts."""
        return self.content_type.startswith("multipart/")

    @property
    def size(self) -> int:
        """Bytes of its body as they stand in the message."""
        return self.end - self.block.body_start

    @property
    def transfer_encoding(self) -> str:
        """Its Content-Transfer-Encoding in lower case; 7bit where it declares none."""
        return self._value("content-transfer-encoding").word or "7bit"

    @property
    def disposition(self) -> str:
        """`attachment`, `inline`, another word in lower case, or empty."""
        return self._value("content-disposition").word

    @property
    def filename(self) -> str | None:
        """Its file name, from Content-Disposition or else from Content-Type."""
        declared = self._value("content-disposition").parameters.get("filename")
        return declared or self.parameters.get("name") or None

    @property
    def content_id(self) -> str | None:
        """Its Content-ID without the angle brackets: what HTML refers to as `cid:`."""
        fields = self.block.find("content-id")
        return self.field_value(fields[0]).decode("latin-1").strip().strip("<>") if fields else None

    @property
    def is_text(self) -> bool:
        """Whether it is text a reader sees in place and that edits know how to write into."""
        return self.content_type in _TEXT_TYPES and self.disposition != "attachment"

    @property
    def is_html(self) -> bool:
        """Whether its text is HTML."""
        return self.content_type in _HTML_TYPES

    @property
    def is_attachment(self) -> bool:
        """Whether a mail client offers it as a file.

        That is: its disposition says so, or it has a file name and is not shown from HTML by its Content-ID, or it
        is of a type that only a file has.
        """
        if self.is_multipart:
            return False
        if self.disposition == "attachment":
            return True
        if self.parent is not None and self.parent.content_type == "multipart/related" and self.content_id:
            return False
        if self.filename:
            return True
        return self.disposition != "inline" and self.content_type.partition("/")[0] in {
            "application",
            "audio",
            "image",
            "video",
        }

    @property
    def signed_by(self) -> MimePart | None:
        """The multipart/signed it is a part of, if any: to change it would break that signature."""
        part = self.parent
        while part is not None and part.content_type != "multipart/signed":
            part = part.parent
        return part

    def walk(self) -> Iterator[MimePart]:
        """The part and all below it, in the message's order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def field_value(self, header: HeaderField) -> bytes:
        """A field's value as it stands, folding and line ending included."""
        return bytes(self.raw[header.value_start : header.end])

    def body(self) -> bytes:
        """The body's bytes as they stand in the message (a copy)."""
        return bytes(self.raw[self.block.body_start : self.end])

    def content(self) -> bytes:
        """The body with its transfer encoding undone (a copy).

        Raises:
            EditRefusedError: The transfer encoding is unknown, or base64 does not decode.
        """
        return decode_body(self.body(), self.transfer_encoding, part=self.name)

    def _value(self, name: str) -> ContentValue:
        fields = self.block.find(name)
        return parse_content_value(self.field_value(fields[0]) if fields else b"")


def decode_body(body: bytes, transfer_encoding: str, *, part: str) -> bytes:
    """Undo a transfer encoding.

    Raises:
        EditRefusedError: It is unknown, or the base64 has characters or padding where none may be. Mail clients
            guess differently then, so nothing may be built on one guess.
    """
    match transfer_encoding:
        case "7bit" | "8bit" | "binary":
            return body
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case "base64":
            packed = body.translate(None, b" \t\r\n")
            try:
                return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True) if packed else b""
            except binascii.Error as error:
                raise EditRefusedError(
                    EditRefusal.BROKEN_ENCODING, f"the base64 of {part} is broken ({error})"
                ) from error
        case other:
            raise EditRefusedError(
                EditRefusal.BROKEN_ENCODING,
                f"{part} has Content-Transfer-Encoding {other!r}; known are 7bit, 8bit, binary,"
                " quoted-printable, base64",
            )


def parse_header(raw: bytes | bytearray) -> HeaderBlock:
    """Find the fields of a message.

    Raises:
        EditRefusedError: It has none, or a line that is none.
    """
    start = 0
    if raw.startswith(b"From "):  # the first line of an mbox entry is no field
        start = raw.find(b"\n") + 1 or len(raw)
    block = parse_header_block(raw, start, len(raw), part="the message")
    if not block.fields:
        raise EditRefusedError(EditRefusal.MALFORMED_HEADERS, "the message has no header field")
    return block


def parse_message(raw: bytes | bytearray) -> MimePart:
    """Find a message's parts; message/rfc822 parts are not entered.

    Raises:
        EditRefusedError: A header block or a multipart is malformed, so that parsers disagree about it.
    """
    block = parse_header(raw)
    start, end = block.fields[0].start, len(raw)
    left = iter(range(MAX_PARTS))
    return _parse_part(raw, start, end, block, default="text/plain", parent=None, number="", left=left)


def _parse_part(
    raw: bytes | bytearray,
    start: int,
    end: int,
    block: HeaderBlock,
    *,
    default: str,
    parent: MimePart | None,
    number: str,
    left: Iterator[int],
) -> MimePart:
    name = f"part {number}" if number else "the message"
    if next(left, None) is None:
        raise EditRefusedError(EditRefusal.TOO_MANY_PARTS, f"{name} is one of more than {MAX_PARTS:,} parts")
    fields = block.find("content-type")
    if len(fields) > 1 or len(block.find("content-transfer-encoding")) > 1:
        raise EditRefusedError(
            EditRefusal.MALFORMED_HEADERS, f"{name} declares its content twice; each Content- field may stand once"
        )
    value = parse_content_value(bytes(raw[fields[0].value_start : fields[0].end])) if fields else None
    content_type = value.word if value else default
    if content_type.count("/") != 1 or content_type.startswith("/") or content_type.endswith("/"):
        content_type = "text/plain"  # RFC 2045 section 5.2: what cannot be understood is plain text
    part = MimePart(raw, start, end, block, content_type, value.parameters if value else {}, name, parent)
    if part.is_multipart:
        if number.count(".") + 1 >= MAX_DEPTH:
            raise EditRefusedError(EditRefusal.TOO_DEEP, f"{name} is nested deeper than {MAX_DEPTH} multiparts")
        _parse_children(part, number, left)
    return part


def _parse_children(part: MimePart, number: str, left: Iterator[int]) -> None:
    raw = part.raw
    if part.transfer_encoding not in {"7bit", "8bit", "binary"}:
        raise _malformed(part, f"a Content-Transfer-Encoding {part.transfer_encoding!r}, which no multipart may have")
    boundary = part.parameters.get("boundary", "").rstrip(" \t\r\n").encode("latin-1", "replace")
    if not boundary:
        raise _malformed(part, "no boundary parameter")
    spans = _find_delimiters(part, boundary)
    part.delimiters = [start for start, _ in spans]
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    for index, ((_, start), (following, _)) in enumerate(itertools.pairwise(spans), start=1):
        end = following
        if end > start:
            end -= 1
            if end > start and raw[end - 1] == 0x0D:
                end -= 1
        if following == start:
            raise _malformed(part, f"nothing between delimiters {index} and {index + 1}")
        child_number = f"{number}.{index}" if number else str(index)
        block = parse_header_block(raw, start, end, part=f"part {child_number}")
        child = _parse_part(raw, start, end, block, default=default, parent=part, number=child_number, left=left)
        part.children.append(child)


def _find_delimiters(part: MimePart, boundary: bytes) -> list[tuple[int, int]]:
    """Each delimiter line's start and end, the closing one last; only whole lines count."""
    raw, begin, end = part.raw, part.block.body_start, part.end
    needle = b"--" + boundary
    spans: list[tuple[int, int]] = []
    position = raw.find(needle, begin, end)
    while position >= 0:
        behind = position + len(needle)
        closing = raw[behind : behind + 2] == b"--"
        tail = raw[behind + 2 * closing : min(behind + 2 * closing + _LONGEST_PADDING, end)]
        newline = tail.find(b"\n")
        rest = tail if newline < 0 else tail[:newline]
        at_line_start = position == begin or raw[position - 1] == 0x0A
        if at_line_start and not rest.strip(b" \t\r"):
            if newline < 0 and len(tail) == _LONGEST_PADDING:
                raise _malformed(part, f"a delimiter with {_LONGEST_PADDING:,} spaces or more behind it")
            if b"\r" in rest.rstrip(b" \t").removesuffix(b"\r"):
                raise _malformed(part, "a carriage return without its line feed in a delimiter")
            line_end = end if newline < 0 else behind + 2 * closing + newline + 1
            spans.append((position, line_end))
            if closing:
                break
        elif position > begin and raw[position - 1] == 0x0D and not rest.strip(b" \t\r"):
            raise _malformed(part, "a carriage return without its line feed before a delimiter")
        position = raw.find(needle, behind, end)
    else:
        found = f"{len(spans)} delimiters and no closing one" if spans else "no delimiter with its boundary"
        raise _malformed(part, found)
    if len(spans) == 1:
        raise _malformed(part, "a closing delimiter and no part")
    return spans


def _malformed(part: MimePart, found: str) -> EditRefusedError:
    return EditRefusedError(
        EditRefusal.MALFORMED_MULTIPART,
        f"{part.name} ({part.content_type}) has {found}; a multipart needs its boundary before each part and, with two"
        " hyphens more, after the last",
    )
