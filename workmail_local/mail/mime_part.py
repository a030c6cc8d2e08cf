"""The parts of a message (RFC 2046) as spans of its bytes, whoever wrote it.

No parser of the standard library: that one takes quadratic time for nested parts, and ends with a RecursionError.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, Final

from workmail_local.charset import codec_of, decode
from workmail_local.mail.pieces import PIECE_BYTES, find
from workmail_local.message_head import MAX_HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NESTING: Final = 100
"""Parts nested deeper than this are not read."""

MAX_PARTS: Final = 10_000
"""The parts of a multipart that has more are not read; each costs time, and WorkMail takes 500 attachments (F16)."""

_MAX_PARAMETERS: Final = 2_048
"""Characters of a Content-Type or Content-Disposition that are read: the standard library takes quadratic time."""

_END_OF_HEADERS: Final = re.compile(rb"\n\r?\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]")
_REST_OF_DELIMITER: Final = re.compile(rb"(--)?+[ \t]*+(?:\r?\n|\Z)")


@dataclass(slots=True)
class MimePart:
    """One MIME entity.

    Attributes:
        name: `message`, or the place of the part in it, for example `part 2.1`.
        headers: Names and unfolded values; those of the first `MAX_HEAD_BYTES`.
        faults: What is malformed, for people; complete once `parts_of` has returned.
        is_leaf: Whether no part is inside.
    """

    content: bytes
    name: str
    body: int
    end: int
    headers: tuple[tuple[str, str], ...]
    faults: list[str]
    is_leaf: bool = True
    _first: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._first = {name.lower(): value for name, value in reversed(self.headers)}

    def values(self, name: str) -> list[str]:
        """Return the values of all header fields of this name, which is given in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def content_type(self) -> str:
        """The media type in lower case; `text/plain` if there is none."""
        return self._field("content-type").get_content_type()

    @property
    def charset(self) -> str | None:
        """The charset parameter, or None."""
        return self._field("content-type").get_content_charset()

    @property
    def file_name(self) -> str | None:
        """The file name of an attachment, or None."""
        return self._field("content-disposition").get_filename() or self._field("content-type").get_filename() or None

    @property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in lower case; "" if there is none."""
        return self._first.get("content-transfer-encoding", "").lower()

    @property
    def payload(self) -> bytes:
        """The body as it is."""
        return self.content[self.body : self.end]

    def decoded(self) -> bytes:
        """Return the body without its base64 or quoted-printable; what cannot be decoded stays as it is."""
        if self.encoding == "base64":
            characters = self.payload.translate(None, b"\r\n\t ")
            return b"".join(map(_from_base64, _cut(characters)))
        if self.encoding == "quoted-printable":
            return b"".join(map(binascii.a2b_qp, _cut(self.payload)))
        return self.payload

    def text(self, most: int) -> str:
        """Return the decoded body as text; never fails, and reads its first `most` bytes."""
        codec = codec_of(self.charset or "utf-8") or "latin-1"
        return decode(self.decoded()[:most], codec, otherwise="latin-1")

    def _field(self, name: str) -> Message:
        """Return a message with this one header, so that the standard library reads its parameters (RFC 2231)."""
        message = Message()
        if name in self._first:
            message[name] = self._first[name][:_MAX_PARAMETERS]
        return message

    def _inner(self) -> list[tuple[int, int]]:
        """Return the spans of the parts inside; add what is malformed to `faults`."""
        content_type = self.content_type
        if content_type == "message/rfc822":
            return [(self.body, self.end)] if self.encoding in {"", "7bit", "8bit", "binary"} else []
        if not content_type.startswith("multipart/"):
            return []
        boundary = self._field("content-type").get_boundary()
        if not boundary:
            self.faults.append(f"{content_type} names no boundary")
            return []
        spans: list[tuple[int, int]] = []
        start: int | None = None
        for line, after, closes in self._delimiters(b"--" + boundary.encode("latin-1", "replace")):
            if start is not None:
                # The line break before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
                end = line - (2 if self.content[line - 2 : line] == b"\r\n" else 1)
                spans.append((start, max(start, end)))
            if len(spans) > MAX_PARTS:
                return spans
            if closes:
                return spans
            start = after
        if start is not None:
            spans.append((start, self.end))
        missing = "its closing delimiter" if start is not None else "a delimiter line"
        self.faults.append(f"{content_type} is not well formed: {missing} with its boundary is missing")
        return spans

    def _delimiters(self, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
        """Yield the start of each delimiter line, the place after it, and whether it closes the multipart."""
        place = self.body if self.content.startswith(delimiter, self.body, self.end) else -1
        looked = 0
        while True:
            if place >= 0 and (rest := _REST_OF_DELIMITER.match(self.content, place + len(delimiter), self.end)):
                yield place, rest.end(), rest[1] is not None
            looked += 1
            place = find(self.content, b"\n" + delimiter, max(self.body - 1, place), self.end) + 1
            if place <= 0 or looked > 2 * MAX_PARTS:
                return


def parts_of(content: bytes) -> list[MimePart]:
    """Return the message itself and then every part, each before the parts inside it.

    Never fails, and takes time that grows with the number of bytes. A part that holds too many parts, or is nested too
    deep, is a leaf, and has a fault that says so.
    """
    found: list[MimePart] = []
    left = [(_part(content, "message", 0, len(content)), 0)]
    while left:
        part, depth = left.pop()
        found.append(part)
        spans = part._inner()  # noqa: SLF001 - our own class
        if spans and depth == MAX_NESTING:
            part.faults.append(f"parts are nested more than {MAX_NESTING} deep")
        elif len(found) + len(left) + len(spans) > MAX_PARTS:
            part.faults.append(f"the message has more than {MAX_PARTS:,} parts")
        else:
            part.is_leaf = not spans
            prefix = "part " if part.name == "message" else f"{part.name}."
            inner = [
                (_part(content, f"{prefix}{number}", *span), depth + 1) for number, span in enumerate(spans, start=1)
            ]
            left += reversed(inner)
    return found


def _part(content: bytes, name: str, start: int, end: int) -> MimePart:
    reach = min(end, start + MAX_HEAD_BYTES)
    found = _END_OF_HEADERS.search(content, start, reach)
    if content.startswith((b"\n", b"\r\n"), start, end):  # no headers at all
        block, body = b"", content.index(b"\n", start) + 1
    elif found:
        block, body = content[start : found.start()], found.end()
    else:
        block, body = content[start:reach], end
    headers: list[tuple[str, str]] = []
    faults: list[str] = []
    for number, line in enumerate(_FOLD.sub(b" ", block).splitlines()):
        field_name, colon, value = line.partition(b":")
        if number == 0 and line.startswith(b"From "):
            continue  # an mbox envelope line is neither a header nor a fault
        if not colon or not field_name.strip() or b" " in field_name.rstrip():
            faults.append(f"header line {number + 1} is not of the form Name: value")
            continue
        headers.append((field_name.strip().decode("latin-1"), value.strip().decode("latin-1")))
    return MimePart(content, name, body, end, tuple(headers), faults)


def _cut(encoded: bytes) -> Iterator[bytes]:
    """Yield the text in pieces that can be decoded one by one: after a line break, or a multiple of four characters."""
    place = 0
    while place < len(encoded):
        end = encoded.find(b"\n", place + PIECE_BYTES, place + 2 * PIECE_BYTES) + 1 or place + 2 * PIECE_BYTES
        yield encoded[place:end]
        place = end


def _from_base64(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        return text
