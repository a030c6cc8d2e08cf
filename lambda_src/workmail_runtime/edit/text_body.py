"""Writing a banner above and a footer below the text of one part."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_runtime.edit.charset import decode_text, find_codec, is_stateful
from workmail_runtime.edit.header_block import line_ending
from workmail_runtime.edit.new_part import LONGEST_LINE
from workmail_runtime.edit.transfer_encoding import (
    IDENTITY_ENCODINGS,
    decode_strictly,
    encode_base64,
    encode_quoted_printable,
    quoted_printable_offset,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_runtime.edit.insertion import Insertion
    from workmail_runtime.edit.mime_part import MimePart

_LARGEST_REWRITE = 4 * 1024 * 1024  # bytes; a larger body that would have to be encoded anew is left as it is
_LONGEST_QUOTED = 1024 * 1024  # bytes; more is encoded in base64, which costs a tenth of the time
_HEAD = 4_096  # bytes in which a declaration and a document type stand
_PIECE = 1 << 16
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_TO_ASCII = b"\x1b(B"  # ISO-2022
# What may stand before a banner in HTML, spelled so that no parser takes more for it than this.
_PROLOG = re.compile(
    rb"\s*(?:<\?xml [^<>?]*\?>\s*)?<!doctype html(?:\s+(?:public|system)(?:\s+\"[^\"<>]*\"){1,2})?\s*>(?=\s*<)",
    re.IGNORECASE,
)
_META_CHARSET = re.compile(rb"<meta\s[^>]*charset\s*=\s*[\"']?\s*([a-z0-9_:.-]{1,40})", re.IGNORECASE)
_META_REACH = 1024  # bytes in which programs look for it


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """What becomes of one part's body.

    Attributes:
        splices: Start, end and new bytes, in order.
        charset: The character set it is in now, if that changed.
        transfer_encoding: The transfer encoding it is in now, if that changed.
    """

    splices: tuple[tuple[int, int, bytes], ...]
    charset: str | None = None
    transfer_encoding: str | None = None


def plan_text(
    part: MimePart, banners: Sequence[Insertion], footers: Sequence[Insertion], *, eol: bytes
) -> BodyEdit | None:
    """How to write texts into a part's body; the first banner and the first footer come next to what is there.

    Args:
        part: A part whose text is shown in place.
        banners: In the order of the calls.
        footers: In the order of the calls.
        eol: The message's line ending, for a body without any.

    Returns:
        None where the texts have to stand in parts of their own: the body is in a character set or transfer encoding in
        which they cannot be written for certain, or would have to be encoded anew and is too large for that.
    """
    try:
        return _TextBody(part, eol).plan(banners, footers)
    except _CannotWriteError:
        return None


class _CannotWriteError(Exception):
    pass


class _TextBody:
    def __init__(self, part: MimePart, eol: bytes) -> None:
        self._part = part
        self._raw = part.raw
        self._start, self._end = part.block.body_start, part.end
        self._encoding = part.transfer_encoding
        has_line = self._raw.find(b"\n", self._start, self._end) >= 0
        self._eol = line_ending(self._raw, self._start, self._end) if has_line else eol
        self._label = part.parameters.get("charset")
        codec = find_codec(self._label)
        if self._encoding == "base64":
            self._head, self._tail = self._content()[:_HEAD], self._content()[-4:]
        else:
            self._head = self._decoded(self._piece(self._start, _HEAD))
            self._tail = re.sub(rb"=[ \t]*\r?\n\Z", b"", self._piece(self._end - 4, 4))
        self._top = len(_BOM) if self._head.startswith(_BOM) else 0
        if part.is_html and (prolog := _PROLOG.match(self._head, self._top)):
            self._top = prolog.end()
        is_cut = self._top > 0 and self._head.startswith(b"--", self._top)  # would begin a line, as a delimiter does
        if codec is None or is_cut or self._head.startswith(_WIDE_BOMS):
            raise _CannotWriteError
        self._codec = codec

    def plan(self, banners: Sequence[Insertion], footers: Sequence[Insertion]) -> BodyEdit:
        is_html = self._part.is_html
        top, bottom = self._html(banners, footers) if is_html else self._plain(banners, footers)
        charset = None if is_html else self._charset_for(top + bottom)
        codec = charset or ("ascii" if is_html else self._codec)
        new = [text.replace("\n", self._eol.decode()).encode(codec) for text in (top, bottom)]
        if bottom and not charset and is_stateful(self._codec):
            new[1] = _TO_ASCII + new[1]
        is_recoded = charset is not None and self._codec != "ascii" and not self._is_ascii()
        transfer = self._transfer_for(b"".join(new), is_recoded=is_recoded)
        if transfer or is_recoded or self._encoding == "base64":
            return self._rewritten(new, self._codec if is_recoded else None, charset, transfer)
        return self._spliced(new, charset)

    def _piece(self, start: int, size: int) -> bytes:
        return bytes(self._raw[max(start, self._start) : min(start + size, self._end)])

    def _decoded(self, body: bytes) -> bytes:
        if (decoded := decode_strictly(body, self._encoding)) is None:
            raise _CannotWriteError
        return decoded

    def _content(self) -> bytes:
        """The whole body, decoded."""
        if self._end - self._start > _LARGEST_REWRITE:
            raise _CannotWriteError
        return self._decoded(self._part.body())

    def _html(self, banners: Sequence[Insertion], footers: Sequence[Insertion]) -> tuple[str, str]:
        # Nothing but a document type stands before a banner: a program opens the body for it, and whatever the
        # sender wrote comes behind it.
        top = "\n".join(insertion.markup for insertion in reversed(banners))
        if top:
            top = ("\n" if self._top > len(_BOM) else "") + self._meta_charset(len(top)) + top + "\n"
        bottom = "\n".join(insertion.markup for insertion in footers)
        if bottom:
            bottom = ("" if self._tail.endswith(b"\n") else "\n") + bottom + "\n" * self._tail.endswith(b"\n")
        return top, bottom

    def _meta_charset(self, size: int) -> str:
        """The document's own declaration, where a banner pushes it out of reach and nothing else names it."""
        found = None if self._label else _META_CHARSET.search(self._head, 0, _META_REACH)
        if found is None or found.end() + size < _META_REACH or find_codec(found[1].decode()) is None:
            return ""
        return f'<meta charset="{found[1].decode()}">\n'

    def _plain(self, banners: Sequence[Insertion], footers: Sequence[Insertion]) -> tuple[str, str]:
        top = "\n\n".join(self._lines(insertion) for insertion in reversed(banners))
        bottom = "\n\n".join(self._lines(insertion) for insertion in footers)
        if not self._head[self._top :]:  # nothing between the two
            text = "\n\n".join(filter(None, (top, bottom)))
            return (text + "\n" if self._part.parent is None else text, "")
        if top:
            top += "\n\n"
        if bottom:
            ending = self._tail.replace(b"\r", b"")
            before = "" if ending.endswith(b"\n\n") else "\n" if ending.endswith(b"\n") else "\n\n"
            bottom = before + bottom + ("\n" if ending.endswith(b"\n") else "")
        return top, bottom

    def _lines(self, insertion: Insertion) -> str:
        if self._part.parameters.get("format", "").lower() != "flowed":
            return insertion.text
        # RFC 3676 section 4.4: space-stuffing; no trailing space, so each line is a line of its own.
        return "\n".join(
            f" {line}" if line.startswith((" ", ">", "From ")) else line for line in insertion.text.split("\n")
        )

    def _is_ascii(self) -> bool:
        if self._encoding not in IDENTITY_ENCODINGS:
            return self._content().isascii()
        # In pieces, because the body may be as large as a message.
        return all(self._piece(at, _PIECE).isascii() for at in range(self._start, self._end, _PIECE))

    def _charset_for(self, text: str) -> str | None:
        """The character set to change to, if the new text is not in the present one."""
        try:
            text.encode(self._codec)
        except UnicodeEncodeError:
            pass
        else:
            return None
        content = self._content()
        if content.isascii() and (b"\x1b" in content or is_stateful(self._codec)):
            raise _CannotWriteError  # escape sequences of a character set that may not be the declared one
        try:  # ASCII is UTF-8; and text in UTF-8 that does not say so gets its declaration
            decode_text(content, "utf-8" if self._codec == "ascii" else self._codec)
        except UnicodeDecodeError as error:
            raise _CannotWriteError from error
        return "utf-8"

    def _transfer_for(self, new: bytes, *, is_recoded: bool) -> str | None:
        """The transfer encoding to change to, if the present one cannot carry the new text."""
        if self._encoding not in IDENTITY_ENCODINGS:
            return None
        is_short = max((len(line.rstrip(b"\r")) for line in new.split(b"\n")), default=0) <= LONGEST_LINE
        if is_short and not is_recoded and (new.isascii() or (self._encoding != "7bit" and not self._is_ascii())):
            return None
        content = self._content() + new
        beyond_ascii = len(content) - len(content.translate(None, bytes(range(0x80, 0x100))))
        is_large = 6 * beyond_ascii > len(content) or len(content) > _LONGEST_QUOTED
        return "base64" if is_large else "quoted-printable"

    def _spliced(self, new: Sequence[bytes], charset: str | None) -> BodyEdit:
        at, (top, bottom) = self._start + self._top, new
        if self._encoding == "quoted-printable":
            at = self._start + quoted_printable_offset(self._piece(self._start, _HEAD), self._top)
            top, bottom = (encode_quoted_printable(text, eol=self._eol) for text in new)
            if bottom and self._piece(self._end - 1, 1) == b"=":
                bottom = self._eol + bottom  # ends the soft line break that the body ends in
        delimiters = tuple(b"--" + multipart.boundary for multipart in self._part.enclosing)
        if any(line.startswith(delimiters) for text in (top, bottom) for line in text.split(b"\n")):
            raise _CannotWriteError
        return BodyEdit(tuple((at, at, text) for at, text in ((at, top), (self._end, bottom)) if text), charset)

    def _rewritten(
        self, new: Sequence[bytes], recode_from: str | None, charset: str | None, transfer: str | None
    ) -> BodyEdit:
        content, at = self._content(), self._top
        before, behind = content[:at], content[at:]
        if recode_from:
            behind = decode_text(behind, recode_from).encode("utf-8")
        content = b"".join((before, new[0], behind, new[1]))
        if (transfer or self._encoding) == "base64":
            encoded = encode_base64(content, eol=self._eol)
            if self._piece(self._end - 1, 1) == b"\n":
                encoded += self._eol
        else:
            encoded = encode_quoted_printable(content, eol=self._eol)
        return BodyEdit(((self._start, self._end, encoded),), charset, transfer)
