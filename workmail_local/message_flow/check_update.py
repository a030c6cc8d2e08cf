"""What PutRawMessageContent refuses in an updated message (C8), checked without the runtime's own editor.

The handler runtime has its own checks. These share no code with them and follow the documented rules alone, so a
mistake in the runtime shows here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING

from workmail_flow import limits
from workmail_flow.assumptions import IMMUTABLE_HEADERS, REQUIRED_HEADERS
from workmail_flow.updated_content import UNIQUE_HEADERS, UNSUPPORTED_EXTENSIONS
from workmail_local.decode_encoded_words import decode_encoded_words

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NESTING = 100
"""Parts nested deeper than this are refused, not read."""

# One byte too long with its CRLF. The line break in front lets the search jump from line to line.
_LONG_LINE = re.compile(rb"\n[^\r\n]{%d}" % (limits.MAX_LINE_BYTES - 1))
_END_OF_HEADERS = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]")


@dataclass(frozen=True, slots=True)
class UpdateFindings:
    """What was found in an updated message: reasons to refuse it, and advice that is none."""

    refused: tuple[str, ...]
    advice: tuple[str, ...]


def check_update(updated: bytes, *, original: bytes) -> UpdateFindings:
    """Check `updated` by C8 against the message as it came in; report every fault, not only the first."""
    part = _Part.parse(updated, 0, len(updated))
    before = _Part.parse(original, 0, len(original))
    refused = [*_limit_faults(updated), *_header_faults(part, before)]
    advice: list[str] = []
    for where, inner in _walk(part, "message", refused):
        refused.extend(f"{where}: {fault}" for fault in inner.faults)
        name = inner.file_name
        if name is not None and _extension(name) in UNSUPPORTED_EXTENSIONS:
            refused.append(f"{where}: Amazon SES does not accept attachments with the extension .{_extension(name)}")
        if inner.has_unencoded_text:
            advice.append(f"{where}: content outside of 7-bit ASCII should be encoded (quoted-printable or base64)")
    return UpdateFindings(tuple(refused), tuple(advice))


def _limit_faults(updated: bytes) -> Iterator[str]:
    if len(updated) > limits.MAX_MIME_BYTES:
        yield f"the message has {len(updated):,} bytes, {limits.MAX_MIME_BYTES:,} are allowed"
    long_line = _LONG_LINE.match(b"\n" + updated[: limits.MAX_LINE_BYTES]) or _LONG_LINE.search(updated)
    if long_line:
        line = 1 if long_line.string is not updated else updated.count(b"\n", 0, long_line.end()) + 1
        yield f"line {line} is longer than {limits.MAX_LINE_BYTES:,} bytes with its CRLF (RFC 5321 section 4.5.3.1.6)"


def _header_faults(part: _Part, before: _Part) -> Iterator[str]:
    for name in REQUIRED_HEADERS:
        if not part.values(name):
            yield f"required header {name.title()} is missing"
    for name in UNIQUE_HEADERS:
        # Two From lines may have been there before the update; the service counts them all the same (C9).
        if (count := len(part.values(name))) > 1:
            yield f"header {name.title()} may appear once and appears {count} times"
    for name in IMMUTABLE_HEADERS:
        now, then = _words(part, name), _words(before, name)
        if now != then:
            change = "added" if not then else "removed" if not now else "changed"
            yield f"immutable header {name.title()} was {change}"


def _walk(part: _Part, where: str, refused: list[str], depth: int = 0) -> Iterator[tuple[str, _Part]]:
    children = list(part.children())  # first: reading them finds what is malformed
    yield where, part
    if children and depth == MAX_NESTING:
        refused.append(f"{where}: parts are nested more than {MAX_NESTING} deep")
        return
    for number, child in enumerate(children, start=1):
        yield from _walk(
            child, f"{where} > part {number}" if where != "message" else f"part {number}", refused, depth + 1
        )


def _words(part: _Part, name: str) -> list[str]:
    return [" ".join(decode_encoded_words(value).split()) for value in part.values(name)]


def _extension(name: str) -> str:
    return name.rpartition(".")[2].strip().lower() if "." in name else ""


@dataclass(slots=True)
class _Part:
    """One MIME entity as a span of the whole message; only its headers are copied."""

    content: bytes
    body: int
    end: int
    headers: tuple[tuple[str, str], ...]
    faults: list[str]

    @classmethod
    def parse(cls, content: bytes, start: int, end: int) -> _Part:
        found = _END_OF_HEADERS.search(content, start, end)
        if content.startswith((b"\n", b"\r\n"), start, end):  # no headers at all
            block, body = b"", content.index(b"\n", start) + 1
        elif found:
            block, body = content[start : found.start()], found.end()
        else:
            block, body = content[start:end], end
        headers: list[tuple[str, str]] = []
        faults: list[str] = []
        for number, line in enumerate(_FOLD.sub(b" ", block).splitlines()):
            name, colon, value = line.partition(b":")
            if number == 0 and line.startswith(b"From "):
                continue  # an mbox envelope line is neither a header nor a fault
            if not colon or not name.strip() or b" " in name.rstrip():
                faults.append(f"header line {number + 1} is not of the form Name: value")
                continue
            headers.append((name.strip().decode("latin-1").lower(), value.strip().decode("latin-1")))
        return cls(content, body, end, tuple(headers), faults)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def _field(self, name: str) -> Message:
        """Return a message with this one header, so that the standard library reads its parameters (RFC 2231)."""
        message = Message()
        for value in self.values(name)[:1]:
            message[name] = value
        return message

    @property
    def content_type(self) -> str:
        return self._field("content-type").get_content_type()

    @property
    def file_name(self) -> str | None:
        name = self._field("content-disposition").get_filename() or self._field("content-type").get_filename()
        return name or None

    @property
    def has_unencoded_text(self) -> bool:
        is_leaf = not self.content_type.startswith(("multipart/", "message/"))
        return is_leaf and not self.content[self.body : self.end].isascii()

    def children(self) -> Iterator[_Part]:
        """Return the parts inside; what is malformed is added to `faults` on the way."""
        content_type = self.content_type
        if content_type == "message/rfc822":
            encoding = "".join(self.values("content-transfer-encoding")[:1]).lower()
            if encoding in {"", "7bit", "8bit", "binary"}:
                yield _Part.parse(self.content, self.body, self.end)
        elif content_type.startswith("multipart/"):
            yield from self._multipart(content_type)

    def _multipart(self, content_type: str) -> Iterator[_Part]:
        boundary = self._field("content-type").get_boundary()
        if not boundary:
            self.faults.append(f"{content_type} names no boundary")
            return
        delimiter = re.compile(
            rb"(?:(?<=\n)|(?<![\s\S]))--"
            + re.escape(boundary.encode("latin-1", "replace"))
            + rb"(--)?[ \t]*(?:\r?\n|\Z)"
        )
        start: int | None = None
        for line in delimiter.finditer(self.content, self.body, self.end):
            if start is not None:
                # The line break before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
                end = line.start() - (2 if self.content[line.start() - 2 : line.start()] == b"\r\n" else 1)
                yield _Part.parse(self.content, start, max(start, end))
            if line.group(1):
                return
            start = line.end()
        if start is not None:
            yield _Part.parse(self.content, start, self.end)
        missing = "its closing delimiter" if start is not None else "a delimiter line"
        self.faults.append(f"{content_type} is not well formed: {missing} with its boundary is missing")
