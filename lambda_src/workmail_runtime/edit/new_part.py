"""Parts that an edit adds to a message, as bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from workmail_runtime.edit.transfer_encoding import encode_base64, encode_quoted_printable

if TYPE_CHECKING:
    from workmail_runtime.edit.mime_part import MimePart

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
LONGEST_LINE = 998
"""Characters of a line at most, without its CRLF (C8, RFC 5322 section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to attach.

    Args:
        filename: What the reader sees; any characters but line endings and slashes.
        content: Its bytes.
        content_type: Its media type, without parameters.

    Raises:
        ValueError: The file name or the media type is not one.
    """

    filename: str
    content: bytes
    content_type: str = "application/octet-stream"

    def __post_init__(self) -> None:
        if not self.filename.strip() or re.search(r"[\x00-\x1f\x7f/\\]", self.filename):
            raise ValueError(f"filename is {self.filename!r}; a name without slashes and control characters is allowed")
        if not _MEDIA_TYPE.fullmatch(self.content_type):
            raise ValueError(f'content_type is {self.content_type!r}; a media type like "text/csv" is allowed')


def attachment_part(attachment: Attachment, eol: bytes, *, mark: bytes = b"") -> bytes:
    """The part that carries a file, in base64, without a line ending at its end.

    Args:
        attachment: The file.
        eol: The message's line ending.
        mark: A header field that tells the part from others.
    """
    lines = [
        f"Content-Type: {attachment.content_type.lower()}".encode("ascii"),
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment;" + eol + b" " + _filename_parameter(attachment.filename, eol),
        *filter(None, [mark]),
        b"",
        encode_base64(attachment.content, eol=eol),
    ]
    return eol.join(lines)


def text_part(text: str, eol: bytes) -> bytes:
    r"""The part that carries a text with "\n" between its lines, without a line ending at its end."""
    content = text.replace("\n", eol.decode()).encode("utf-8")
    lines = content.split(eol)
    # A line that begins as a delimiter does is not left to chance.
    is_plain = content.isascii() and all(len(line) <= LONGEST_LINE and line[:2] != b"--" for line in lines)
    head = [
        b"Content-Type: text/plain; charset=" + (b"us-ascii" if content.isascii() else b"utf-8"),
        b"Content-Transfer-Encoding: " + (b"7bit" if is_plain else b"quoted-printable"),
        b"Content-Disposition: inline",
        b"",
        content if is_plain else encode_quoted_printable(content, eol=eol),
    ]
    return eol.join(head)


def new_boundary(part: MimePart, identity: bytes) -> bytes:
    """A boundary that the part does not contain and that is mixed up with none around it.

    Args:
        part: What the new multipart is to hold.
        identity: The same for every retry on the same message, which so makes the same bytes.
    """
    around = [multipart.boundary for multipart in part.enclosing]
    number = 0
    while True:
        digest = hashlib.blake2s(b"%s%s%d" % (identity, part.name.encode(), number), digest_size=12).hexdigest()
        boundary = f"{digest}=_edit".encode("ascii")  # "=_" stands in no base64 or quoted-printable (RFC 2045)
        if part.raw.find(boundary, part.start, part.end) < 0 and not any(map(boundary.startswith, around)):
            return boundary
        number += 1


def _filename_parameter(filename: str, eol: bytes) -> bytes:
    """The parameter in quotes, or as RFC 2231 wants it where it is not ASCII or long."""
    if filename.isascii() and len(filename) <= 60:
        escaped = filename.replace('"', '\\"')
        return f'filename="{escaped}"'.encode("ascii")
    encoded = quote(filename, safe="", encoding="utf-8").encode("ascii")
    pieces: list[bytes] = re.findall(rb"(?:%..|[^%]){1,40}", encoded)
    if len(pieces) == 1:
        return b"filename*=utf-8''" + pieces[0]
    return (b";" + eol + b" ").join(
        b"filename*%d*=%s%s" % (index, b"" if index else b"utf-8''", piece) for index, piece in enumerate(pieces)
    )
