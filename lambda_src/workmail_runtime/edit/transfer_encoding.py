"""Writing bodies in quoted-printable and base64, and finding places in a quoted-printable one (RFC 2045)."""

from __future__ import annotations

import binascii
import re

_QP_TOKEN = re.compile(rb"=[0-9A-Fa-f]{2}|=[ \t]*\r?\n|[^=]+|=")
_BASE64_LINE = 76


def encode_quoted_printable(content: bytes, *, eol: bytes) -> bytes:
    """Text in quoted-printable; its line endings stay line endings, lines become 76 characters at most.

    A line feed alone stays one where lines end in CRLF: it is encoded, so that no relay mends it.
    """
    encoded: list[bytes] = []
    *lines, last = content.split(b"\n")
    for line in lines:
        if line.endswith(b"\r"):
            encoded.append(_encode_line(line[:-1], eol) + b"\r\n")
        elif eol == b"\n":
            encoded.append(_encode_line(line, eol) + b"\n")
        else:
            encoded.append(_encode_line(line, eol) + b"=" + eol + b"=0A=" + eol)
    return b"".join([*encoded, _encode_line(last, eol)])


def _encode_line(line: bytes, eol: bytes) -> bytes:
    return binascii.b2a_qp(line, istext=False).replace(b"=\n", b"=" + eol)


def encode_base64(content: bytes, *, eol: bytes) -> bytes:
    """Content in base64, in lines of 76 characters, without a line ending after the last."""
    encoded = binascii.b2a_base64(content, newline=False)
    return eol.join(encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE))


def quoted_printable_offset(encoded: bytes, decoded_offset: int) -> int:
    """Where in a quoted-printable body the byte stands that is at an offset of the decoded content."""
    done = 0
    for match in _QP_TOKEN.finditer(encoded):
        if done >= decoded_offset:
            return match.start()
        token = match[0]
        if token[0] != 0x3D:
            if done + len(token) > decoded_offset:
                return match.start() + decoded_offset - done
            done += len(token)
        elif len(token) == 3 and token[-1] != 0x0A:
            done += 1
    return len(encoded)
