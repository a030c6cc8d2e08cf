"""Writing a banner above and a footer below the text of one part, and knowing them again."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s
from typing import TYPE_CHECKING

from workmail_runtime.edit.charset import decode_text, find_codec, is_stateful, is_wide
from workmail_runtime.edit.header_block import line_ending
from workmail_runtime.edit.mime_part import decode_body
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError
from workmail_runtime.edit.transfer_encoding import (
    encode_base64,
    encode_quoted_printable,
    quoted_printable_offset,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workmail_runtime.edit.mime_part import MimePart

MARK_PARAMETER = "x-workmail-edit"
"""Content-Type parameter that tells our footer from a quoted one where the text alone cannot."""

_LONGEST_LINE = 998  # without its CRLF (C8, RFC 5322 section 2.1.1)
_PIECE = 1 << 16
_BOM = b"\xef\xbb\xbf"
_ISO_2022_TEXT = re.compile(rb"\x1b\$.*?(?:\x1b\([BJ]|$)", re.DOTALL)
_QUOTED_LINE = re.compile(rb"^>", re.MULTILINE)


class Place(StrEnum):
    """Where in a body an insertion goes."""

    TOP = "banner"
    BOTTOM = "footer"


@dataclass(frozen=True, slots=True)
class Insertion:
    r"""A banner or a footer for one message.

    Attributes:
        place: Above or below the body.
        text: Lines joined by "\n", without white space around them or at their ends.
        markup: What HTML bodies get: one div that carries `mark`.
        mark: Tells this insertion in this message from the same words quoted out of another message.
    """

    place: Place
    text: str
    markup: str
    mark: str


def new_insertion(place: Place, text: str, markup: str | None, *, message_identity: bytes) -> Insertion:
    """What to write for a text, in one message.

    Args:
        place: Above or below.
        text: Plain text.
        markup: HTML for the same; None for the text, escaped.
        message_identity: The same for each run on one message and different for every other message.

    Raises:
        ValueError: The text is empty or holds what no text may.
    """
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", text)]
    text = "\n".join(lines).strip()
    if not text:
        raise ValueError(f"the {place} is empty; give the text to show")
    try:
        digest = blake2s(f"{place}\0{text}\0{markup}\0".encode() + message_identity, digest_size=8).hexdigest()
    except UnicodeEncodeError as error:
        raise ValueError(f"the {place} has a lone surrogate at {error.start}; give characters only") from error
    mark = f"{place}-{digest}"
    inner = html.escape(text, quote=False).replace("\n", "<br>\n") if markup is None else markup.strip()
    return Insertion(place, text, f'<div data-workmail-edit="{mark}">{inner}</div>', mark)


def mark_parameter(marks: Sequence[str], eol: bytes) -> bytes:
    """What carries marks in a Content-Type, with the semicolon before."""
    return b";" + eol + b" " + f"{MARK_PARAMETER}={'+'.join(marks)}".encode("ascii")


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """What has to change in one part.

    Attributes:
        splices: Start, end and new bytes in the message, in order, inside the part's body.
        charset: The character set the part has to declare now; None where it stays.
        transfer_encoding: The same for its Content-Transfer-Encoding.
        marks: What the part's Content-Type has to carry to know its footers again.
    """

    splices: tuple[tuple[int, int, bytes], ...]
    charset: str | None = None
    transfer_encoding: str | None = None
    marks: tuple[str, ...] = ()


class TextBody:
    """The body of one text part.

    Args:
        part: A part of type text/plain or text/html.
        may_quote_footer: Whether the message may end in another message's text with nothing to tell it apart:
            a reply or forward.

    Raises:
        EditRefusedError: The transfer encoding is unknown or broken.
    """

    def __init__(self, part: MimePart, *, may_quote_footer: bool) -> None:
        self.part = part
        self.is_html = part.is_html
        self._raw = part.raw
        self._start, self._end = part.block.body_start, part.end
        self._eol = line_ending(self._raw, self._start, self._end)
        if self._raw.find(b"\n", self._start, self._end) < 0:
            self._eol = line_ending(self._raw, 0, len(self._raw))
        self._label = part.parameters.get("charset")
        self._codec = find_codec(self._label)
        self._is_flowed = part.parameters.get("format", "").lower() == "flowed"
        self._is_wide = self._codec is not None and is_wide(self._codec)
        self._is_stateful = self._codec is not None and is_stateful(self._codec)
        self._data: bytes | bytearray = self._raw
        self._low, self._high = self._start, self._end
        if part.transfer_encoding not in {"7bit", "8bit", "binary"}:
            self._use(part.content())
        self._is_recoded = False
        if self._is_wide:
            self._use(self._decoded().encode("utf-8"))
            self._is_recoded = True
        self._may_quote_footer = (
            may_quote_footer
            and not self.is_html
            and not _QUOTED_LINE.search(memoryview(self._data)[self._low : self._high])
        )
        self._find_places()

    def present(self, insertions: Sequence[Insertion], *, vouched: Iterable[Insertion] = ()) -> set[Insertion]:
        """Which of these stand in their place already.

        Args:
            insertions: All of one place.
            vouched: Those known to stand in the HTML alternative of this text.
        """
        if not insertions:
            return set()
        place = insertions[0].place
        wanted = {insertion: self._shown(insertion) for insertion in insertions}
        text = self._normalised(self._window(place, sum(map(len, wanted.values()))))
        known = {
            *vouched,
            *(i for i in insertions if i.mark in self.part.parameters.get(MARK_PARAMETER, "").split("+")),
        }
        found: set[Insertion] = set()
        while match := next((i for i in insertions if i not in found and self._stands(text, wanted[i], place)), None):
            if place is Place.BOTTOM and self._may_quote_footer and match not in known:
                break
            found.add(match)
            shown = wanted[match]
            text = text[len(shown) :].lstrip() if place is Place.TOP else text[: -len(shown)].rstrip()
        return found

    def plan(self, banners: Sequence[Insertion], footers: Sequence[Insertion]) -> BodyEdit:
        """How to write these into the body; the first banner comes directly above it, the first footer directly below.

        Raises:
            EditRefusedError: The new text needs another character set and the body's own cannot be told.
        """
        top, bottom = self._new_text(banners, footers)
        charset = None if self.is_html else self._charset_for(top + bottom)
        codec = charset or ("utf-8" if self._is_recoded else self._codec or "ascii")
        if self.is_html and not self._is_recoded and not self._carries(codec):
            codec = "ascii"
        errors = "xmlcharrefreplace" if self.is_html else "strict"
        eol = self._eol
        if self._data.find(b"\n", self._low, self._high) >= 0:
            eol = line_ending(self._data, self._low, self._high)
        new = [text.replace("\n", eol.decode()).encode(codec, errors) for text in (top, bottom)]
        new_bytes = b"".join(new)
        marks = tuple(footer.mark for footer in footers) if self._may_quote_footer else ()
        transfer = self._transfer_for(new_bytes)
        splices = None
        if transfer is None and not self._is_recoded and self.part.transfer_encoding != "base64":
            splices = self._spliced(new)
        return BodyEdit(splices or self._rewritten(new, transfer), charset, transfer, marks)

    def _use(self, content: bytes) -> None:
        self._data, self._low, self._high = content, 0, len(content)

    def _decoded(self) -> str:
        try:
            return decode_text(bytes(self._data[self._low : self._high]), self._codec or "ascii")
        except UnicodeDecodeError as error:
            raise self._unknown_charset() from error

    def _unknown_charset(self) -> EditRefusedError:
        declared = f"charset {self._label!r}" if self._label else "no charset"
        return EditRefusedError(
            EditRefusal.UNKNOWN_CHARSET,
            f"{self.part.name} declares {declared}, its bytes are not that, and the new text cannot be written in it",
        )

    def _find_places(self) -> None:
        self._top, self._bottom = self._low, self._high
        if self._data[self._low : self._low + 3] == _BOM:
            self._top += len(_BOM)
        self._meta_charset = ""
        if self.is_html:
            from workmail_runtime.edit.html_places import find_html_places

            octets = bytes(self._data[self._top : self._high])
            if self._codec and self._codec.startswith("iso2022"):
                octets = _ISO_2022_TEXT.sub(lambda match: b" " * len(match[0]), octets)
            # One character a byte: offsets are the bytes', and "<" is never half of a character elsewhere.
            places = find_html_places(octets.decode("latin-1"))
            self._bottom = self._top + places.bottom
            self._top += places.top
            self._meta_charset = places.charset

    def _window(self, place: Place, characters: int) -> str:
        """Enough text at a place to hold this many characters in any encoding."""
        size = 16 * characters + 4_096
        if place is Place.TOP:
            octets = self._data[self._top : min(self._top + size, self._high)]
        else:
            octets = self._data[max(self._bottom - size, self._low) : self._bottom]
        codec = "utf-8" if self._is_recoded or not self._codec else self._codec
        if self.is_html and self._is_stateful:
            codec = "latin-1"  # ours is ASCII there, and a broken escape sequence before it must not hide it
        return bytes(octets).decode(codec, "replace")

    def _normalised(self, text: str) -> str:
        if self.is_html:
            return " ".join(html.unescape(text).split())
        lines = re.split(r"\r\n|\r|\n", text)
        if self._is_flowed:
            lines = [line.removeprefix(" ") for line in lines]
        return "\n".join(line.rstrip() for line in lines).strip()

    def _shown(self, insertion: Insertion) -> str:
        return " ".join(html.unescape(insertion.markup).split()) if self.is_html else insertion.text

    def _stands(self, text: str, shown: str, place: Place) -> bool:
        if self.is_html:
            return text.startswith(shown) if place is Place.TOP else text.endswith(shown)
        if place is Place.TOP:
            return text == shown or text.startswith(shown + "\n")
        return text == shown or text.endswith("\n" + shown)

    def _new_text(self, banners: Sequence[Insertion], footers: Sequence[Insertion]) -> tuple[str, str]:
        if self.is_html:
            top = "\n".join(insertion.markup for insertion in reversed(banners))
            bottom = "\n".join(insertion.markup for insertion in footers)
            return (f"\n{top}\n" if top else "", f"\n{bottom}\n" if bottom else "")
        top = "\n\n".join(self._lines(insertion) for insertion in reversed(banners))
        bottom = "\n\n".join(self._lines(insertion) for insertion in footers)
        if self._top == self._high:  # nothing between the two
            text = "\n\n".join(filter(None, (top, bottom)))
            return (text + "\n" if self.part.parent is None else text, "")
        if top:
            top += "\n\n"
        if bottom:
            ending = bytes(self._data[max(self._top, self._high - 4) : self._high]).replace(b"\r", b"")
            before = "" if ending.endswith(b"\n\n") else "\n" if ending.endswith(b"\n") else "\n\n"
            bottom = before + bottom + ("\n" if ending.endswith(b"\n") else "")
        return top, bottom

    def _lines(self, insertion: Insertion) -> str:
        if not self._is_flowed:
            return insertion.text
        # RFC 3676 section 4.4: space-stuffing; no trailing space, so each line is a line of its own.
        return "\n".join(
            f" {line}" if line.startswith((" ", ">", "From ")) else line for line in insertion.text.split("\n")
        )

    def _is_ascii(self) -> bool:
        # In pieces, because the body may be as large as a message.
        ends = range(self._low + _PIECE, self._high + _PIECE, _PIECE)
        return all(self._data[end - _PIECE : min(end, self._high)].isascii() for end in ends)

    def _charset_for(self, text: str) -> str | None:
        """The character set to change to, if the new text is not in the present one."""
        if self._is_recoded:
            return None if self._is_wide else "utf-8"
        if self._codec is None and self._data.find(b"\0", self._low, self._high) >= 0:
            raise self._unknown_charset()
        try:
            text.encode(self._codec or "ascii")
        except UnicodeEncodeError:
            pass
        else:
            return None
        if self._is_ascii() and self._data.find(b"\x1b", self._low, self._high) < 0 and not self._is_stateful:
            return "utf-8"
        if self._codec in {None, "ascii"}:
            content = bytes(self._data[self._low : self._high])
            try:  # text in UTF-8 that does not say so: saying so is right
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise self._unknown_charset() from error
            if content.isascii():  # escape sequences of a character set that is not declared
                raise self._unknown_charset()
            return "utf-8"
        bom = self._top - self._low
        self._use(self._decoded().encode("utf-8"))
        self._top, self._bottom = self._low + bom, self._high
        self._is_recoded = True
        return "utf-8"

    def _carries(self, codec: str) -> bool:
        """Whether an HTML body can hold characters as they are; else they are written as references."""
        if codec == "ascii" or self._is_stateful:
            return False
        if self._meta_charset and find_codec(self._meta_charset) != codec:
            return False
        return self.part.transfer_encoding in {"quoted-printable", "base64"} or not self._is_ascii()

    def _transfer_for(self, new: bytes) -> str | None:
        """The transfer encoding to change to, if the present one cannot carry the new text."""
        present = self.part.transfer_encoding
        if self._is_wide and present != "base64":
            return "base64"  # UTF-16 and UTF-32 have no lines
        if present in {"quoted-printable", "base64"}:
            return None
        long_line = max((len(line.rstrip(b"\r")) for line in new.split(b"\n")), default=0) > _LONGEST_LINE
        holds_8bit = not self._is_ascii() and present != "7bit"
        if not long_line and ((new.isascii() and not self._is_recoded) or holds_8bit):
            return None
        content = bytes(self._data[self._low : self._high]) + new
        beyond_ascii = len(content) - len(content.translate(None, bytes(range(0x80, 0x100))))
        return "base64" if 6 * beyond_ascii > len(content) else "quoted-printable"

    def _spliced(self, new: Sequence[bytes]) -> tuple[tuple[int, int, bytes], ...] | None:
        if self._data is self._raw:
            return _insertions((self._top, new[0]), (self._bottom, new[1]))
        encoded = self.part.body()
        new = [encode_quoted_printable(text, eol=self._eol) for text in new]
        top = quoted_printable_offset(encoded, self._top)
        bottom = len(encoded) if self._bottom == self._high else quoted_printable_offset(encoded, self._bottom)
        result = encoded[:top] + new[0] + encoded[top:bottom] + new[1] + encoded[bottom:]
        expected = self._with(*(decode_body(text, "quoted-printable", part="") for text in new))
        if decode_body(result, "quoted-printable", part=self.part.name) != expected:
            return None  # broken quoted-printable, or a soft line break at the very end
        return _insertions((self._start + top, new[0]), (self._start + bottom, new[1]))

    def _with(self, top: bytes, bottom: bytes) -> bytes:
        data = self._data
        return b"".join((data[self._low : self._top], top, data[self._top : self._bottom], bottom,
                         data[self._bottom : self._high]))  # fmt: skip

    def _rewritten(self, new: Sequence[bytes], transfer: str | None) -> tuple[tuple[int, int, bytes], ...]:
        content = self._with(*new)
        if self._is_wide:
            content = content.decode("utf-8").encode(self._codec or "")
        match transfer or self.part.transfer_encoding:
            case "base64":
                encoded = encode_base64(content, eol=self._eol)
                if self._raw[self._end - 1 : self._end] == b"\n":
                    encoded += self._eol
            case "quoted-printable":
                encoded = encode_quoted_printable(content, eol=self._eol)
            case _:
                encoded = content
        return ((self._start, self._end, encoded),)


def _insertions(*insertions: tuple[int, bytes]) -> tuple[tuple[int, int, bytes], ...]:
    return tuple((offset, offset, text) for offset, text in insertions if text)
