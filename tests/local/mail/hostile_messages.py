"""Messages made to hold up whoever reads them: every header that the local WorkMail looks at, bodies, nesting."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final = (
    *("Subject", "From", "To", "Content-Type", "Content-Disposition", "Sender", "Return-Path", "Message-ID"),
    *("Content-Transfer-Encoding", "X-SES-Spam-Verdict", "X-SES-Virus-Verdict"),
)
_IN_FIELD: Final = {
    "words": b"=?utf-8?q?a?= ",
    "half words": b"=?",
    "base64 words": b"=?utf-8?b?",
    "comments": b"(",
    "quote": b'"',
    "backslashes": b"\\",
    "angles": b"<",
    "commas": b",",
    "ats": b"@",
    "brackets": b"[",
    "dots": b".",
    "nul": b"\0",
    "combining marks": b"\xcc\x80",
    "folds": b"\r\n ",
    "LF folds": b"\n\t",
    "spaces": b" ",
    "colons": b":",
    "parameters": b"; a*0*=x",
    "quoted parameters": b'";',
    "CR": b"\r",
    "addresses": b"a@b.example, ",
}
_IN_BODY: Final = {
    "LF": b"\n",
    "CRLF": b"\r\n",
    "CR": b"\r",
    "no breaks": b"a",
    "8 bit": b"\xff",
    "attachments": b"\nContent-",
    "disposition": b"Content-Disposition:",
    "dispositions": b"Content-Disposition: x\r\n",
    "dashes": b"\n--",
    "delimiters": b"\r\n--b",
    "parts": b"\r\n--b\r\n\r\n",
    "EICAR": b"X5O!P%@AP",
    "GTUBE": b"XJS*C4JDBQADN1.NSBN3",
    "multiparts": b"\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
    "equals": b"=",
    "fields": b"a:\r\n",
}
_HEAD: Final = b"From: a@b.example\r\nDate: x\r\nMessage-ID: <1@b.example>\r\n"
_BODY_HEADS: Final = {
    "bare": b"",
    "text": _HEAD + b"\r\n",
    "multipart": _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    "base64": _HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n",
    "quoted-printable": _HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
}


def _nested(size: int) -> bytes:
    level = b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n'
    return _HEAD + b"".join(level % (number, number) for number in range(size // 60))


HOSTILE: Final[dict[str, Callable[[int], bytes]]] = {
    **{
        f"{name}: {what}": lambda size, name=name, unit=unit: (
            _HEAD + name.encode() + b": " + unit * (size // len(unit)) + b"\r\n\r\nx\r\n"
        )
        for name, (what, unit) in product(_NAMES[:5], _IN_FIELD.items())
    },
    **{
        f"{where} of {what}": lambda size, head=head, unit=unit: head + unit * (size // len(unit))
        for (where, head), (what, unit) in product(_BODY_HEADS.items(), _IN_BODY.items())
    },
    "nested messages": lambda size: _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * (size // 32),
    "nested multiparts": _nested,
}
"""What makes a hostile message of about the given size, by name."""

_PIECES: Final = st.sampled_from(
    [
        *_IN_FIELD.values(),
        *_IN_BODY.values(),
        *(f"\r\n{name}: ".encode() for name in _NAMES),
        *(b"multipart/mixed; boundary=b", b"message/rfc822", b"\r\n\r\n", b"base64", b"quoted-printable", b"FAIL"),
        *(
            b"text/plain; charset=",
            b"attachment; filename=",
            b"idna",
            b"utf-16",
            b"hex",
            b".exe",
            b"--b--\r\n",
            b"=?idna?q?",
        ),
    ]
)
messages = st.lists(st.one_of(_PIECES, st.binary(max_size=4)), max_size=40).map(b"".join)
"""Any messages: of what parsers stumble over, in any order."""
