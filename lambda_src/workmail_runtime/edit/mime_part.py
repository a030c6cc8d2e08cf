"""A message's parts, as offsets into its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workmail_runtime.edit.content_value import ContentValue, parse_content_value
from workmail_runtime.edit.transfer_encoding import decode_leniently

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workmail_runtime.edit.header_block import HeaderBlock, HeaderField

HTML_TYPES = frozenset({"text/html", "text/x-amp-html", "text/watch-html"})
"""Types whose text is HTML. Programs show the last two only as an alternative."""


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
    def filenames(self) -> tuple[str, ...]:
        """Every file name it declares, that of `filename` first: programs differ in which of several they take."""
        found = dict.fromkeys(filter(None, [self.filename]))
        for field_name, parameter in (("content-disposition", "filename"), ("content-type", "name")):
            for value in self._values(field_name):
                declared = [
                    value.parameters.get(parameter),
                    *(text for name, text in value.repeated if name == parameter),
                ]
                found |= dict.fromkeys(filter(None, declared))
        return tuple(found)

    @property
    def content_id(self) -> str | None:
        """Its Content-ID without the angle brackets: what HTML refers to as `cid:`."""
        fields = self.block.find("content-id")
        return self.field_value(fields[0]).decode("latin-1").strip().strip("<>") if fields else None

    @property
    def is_text(self) -> bool:
        """Whether it is text a reader sees in place and that edits know how to write into."""
        return self.content_type in {"text/plain", "text/html"} and self.disposition != "attachment"

    @property
    def is_html(self) -> bool:
        """Whether its text is HTML."""
        return self.content_type in HTML_TYPES

    @property
    def is_attachment(self) -> bool:
        """Whether a mail program offers it as a file.

        That is: its disposition says so, or it has a file name, or it is of a type that only a file has. An image that
        HTML shows by its Content-ID is not an attachment.
        """
        if self.children:
            return False
        main_type = self.content_type.partition("/")[0]
        if any(value.word == "attachment" for value in self._values("content-disposition")):
            return True
        if main_type == "image" and self.parent and self.parent.content_type == "multipart/related" and self.content_id:
            return False
        if self.filenames:
            return True
        if main_type in {"audio", "image", "video"}:
            return self.disposition != "inline"
        return main_type not in {"text", "message", "multipart"}

    @property
    def boundary(self) -> bytes:
        """What its delimiters have behind their two hyphens; empty where it is no multipart."""
        return self.parameters.get("boundary", "").rstrip(" \t\r\n").encode("latin-1", "replace")

    @property
    def enclosing(self) -> Iterator[MimePart]:
        """The multiparts around it, innermost first."""
        part = self.parent
        while part is not None:
            yield part
            part = part.parent

    @property
    def signed_by(self) -> MimePart | None:
        """The multipart/signed it is a part of, if any: to change it would break that signature."""
        return next((part for part in self.enclosing if part.content_type == "multipart/signed"), None)

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
        """The body with its transfer encoding undone (a copy); what is broken in it is left out, as programs do."""
        return decode_leniently(self.body(), self.transfer_encoding)

    def _value(self, name: str) -> ContentValue:
        return next(self._values(name), parse_content_value(b""))

    def _values(self, name: str) -> Iterator[ContentValue]:
        return (parse_content_value(self.field_value(entry)) for entry in self.block.find(name))
