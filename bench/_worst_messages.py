"""Messages of 25 MB that cost an editor most: each has made one slow, or run out of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 25_000_000

_HEAD = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n"


def _repeated(line: bytes, size: int = SIZE) -> bytes:
    return line * (size // len(line))


def _body(content: bytes, content_type: str = "text/html", encoding: str = "7bit") -> bytes:
    fields = f"Content-Type: {content_type}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return fields.encode() + content


def _nested(boundaries: list[str], content: bytes) -> bytes:
    opening = "".join(f'Content-Type: multipart/mixed; boundary="{b}"\r\n\r\n--{b}\r\n' for b in boundaries)
    closing = "".join(f"\r\n--{b}--" for b in reversed(boundaries))
    return opening.encode() + b"\r\n" + content + closing.encode()


def _many(kind: str, part: bytes) -> bytes:
    count = 1_900
    body = part + b"\r\n\r\n" + _repeated(b"line\r\n", SIZE // count)
    text = b"--x\r\n\r\ntext\r\n"
    return (
        b"Content-Type: multipart/%s; boundary=x\r\n\r\n" % kind.encode()
        + text
        + (b"--x\r\n" + body) * count
        + b"--x--"
    )


WORST: dict[str, Callable[[], bytes]] = {
    "ordinary text": lambda: _body(_repeated(b"Hello, this is a line of a text\r\n"), "text/plain"),
    "dense HTML": lambda: _body(_repeated(b"<b>x</b>\r\n")),
    "dense HTML in quoted-printable": lambda: _body(_repeated(b"<b>x</b>=\r\n"), encoding="quoted-printable"),
    "HTML in base64": lambda: _body(_repeated(b"QUJD" * 19 + b"\r\n"), encoding="base64"),
    "one tag of attributes": lambda: _body(b"<p " + _repeated(b"a=b ")),
    "blank lines": lambda: _body(_repeated(b"\n"), "text/plain"),
    "4 MB of blank lines, encoded anew": lambda: _body(_repeated(b"\n", 4_190_000), "text/plain"),
    "4 MB of dashes, encoded anew": lambda: _body(_repeated(b"--\n", 4_190_000), "text/plain"),
    "a flood of header fields": lambda: _repeated(b"a:\r\n") + b"\r\nx",
    "a flood of continuation lines": lambda: b"a: b\r\n" + _repeated(b" \r\n") + b"\r\nx",
    "a flood of lines that are no header": lambda: _repeated(b"a\r\n") + b"\r\nx",
    "nested dashes": lambda: _nested(["-" * n for n in range(1, 8)], _repeated(b"-" * 60 + b"\r\n")),
    "nine multiparts around blank lines": lambda: _nested([f"b{n}" for n in range(9)], _repeated(b"\r\n")),
    "40 multiparts around blank lines": lambda: _nested([f"b{n}" for n in range(40)], _repeated(b"\r\n")),
    "1,900 alternatives": lambda: _many("alternative", b"Content-Type: text/plain"),
    "1,900 alternatives that are no text": lambda: _many("alternative", b"Content-Type: image/png"),
    "parts without end": lambda: _many("mixed", b"") + _repeated(b"--x\r\n\r\n\r\n"),
    "messages in messages": lambda: _repeated(b"Content-Type: message/rfc822\r\n\r\n"),
}  # fmt: skip
"""By name; built when asked for, because all of them together would not fit."""


def worst_message(name: str) -> bytes:
    """A whole message of the table."""
    return _HEAD + WORST[name]()
