"""Reading and writing bodies in quoted-printable and base64 (RFC 2045)."""

from __future__ import annotations

import binascii
import re

IDENTITY_ENCODINGS = frozenset({"7bit", "8bit", "binary"})
"""The transfer encodings that change no byte."""

_BASE64_LINE = 76
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/]+")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_QP_TOKEN = re.compile(rb"=[0-9A-Fa-f]{2}|=[ \t]*\r?\n|[^=]+|=")
_QP_FIRST_DASH = re.compile(rb"^-(?=-)", re.MULTILINE)
_QP_LONG_DASHED_LINE = re.compile(rb"^=2D-.{73,}$", re.MULTILINE)
_QP_PIECE = re.compile(rb"(?:=[0-9A-F]{2}|[^=]){1,25}")


def decode_strictly(body: bytes, transfer_encoding: str) -> bytes | None:
    """Undo a transfer encoding, to build on the result.

    Returns:
        None where it is unknown, or the base64 has characters or padding where none may be: mail programs guess
        differently then.
    """
    if transfer_encoding in IDENTITY_ENCODINGS:
        return body
    if transfer_encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if transfer_encoding != "base64":
        return None
    packed = body.translate(None, b" \t\r\n")
    try:
        return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True) if packed else b""
    except binascii.Error:
        return None


def decode_leniently(body: bytes, transfer_encoding: str) -> bytes:
    """Undo a transfer encoding, to look at the result; what is not in the encoding is left out, as programs do."""
    if transfer_encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if transfer_encoding != "base64":
        return body
    return decode_packed(body.translate(None, _NOT_BASE64))


def decode_packed(packed: bytes) -> bytes:
    """Undo base64 that has nothing but its own characters and, between runs of them, padding."""
    packed = packed.rstrip(b"=")
    if b"=" not in packed:
        return _decode_run(packed)  # many times as fast
    return b"".join(_decode_run(match[0]) for match in _BASE64_RUN.finditer(packed))


def _decode_run(run: bytes) -> bytes:
    left_over = len(run) % 4
    return binascii.a2b_base64(run[:-1] if left_over == 1 else run + b"==="[: -left_over % 4])


def encode_quoted_printable(content: bytes, *, eol: bytes) -> bytes:
    """Text in quoted-printable, its line endings those given, in lines of 76 characters at most.

    No line begins with two hyphens, so none can be the delimiter of a multipart around it.
    """
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    encoded = binascii.b2a_qp(content, istext=True)
    encoded = _QP_FIRST_DASH.sub(b"=2D", encoded)
    return _QP_LONG_DASHED_LINE.sub(_divide, encoded).replace(b"\n", eol)


def _divide(line: re.Match[bytes]) -> bytes:
    text, soft_break = (line[0][:-1], b"=") if line[0].endswith(b"=") else (line[0], b"")
    return b"=\n".join(_QP_PIECE.findall(text.replace(b"-", b"=2D"))) + soft_break


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
