"""A message as people send it."""

# ruff: noqa: E501 - a message's lines stay whole

from __future__ import annotations


def usual_message(size: int) -> bytes:
    """Return a message with a text, its HTML and an attachment, about as long as `size` bytes."""
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"
    head = (
        b"From: a@example.org\r\nTo: b@example.com\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
        b"Subject: Re: figures\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=mix\r\n\r\n--mix\r\n"
        b"Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
        b"--alt\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>Hello</p></body></html>\r\n--alt--\r\n--mix\r\n"
        b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename=a.pdf\r\n\r\n"
    )
    return head + line * (size // len(line)) + b"--mix--\r\n"
