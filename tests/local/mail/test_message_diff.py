from __future__ import annotations

import pytest

from workmail_local.mail.message_diff import diff_messages

HEAD = b"From: a@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"


def test_nothing_changed() -> None:
    assert diff_messages(HEAD + b"\r\nx", HEAD + b"\r\nx") == ""


def test_headers_and_bodies_are_decoded() -> None:
    before = HEAD + b"Content-Type: text/plain; charset=latin-1\r\n\r\nsch\xf6n\r\nlast\r\n"
    after = before.replace(b"Gr=C3=BC=C3=9Fe", b"x_Gr=C3=BC=C3=9Fe").replace(b"sch\xf6n", b"sehr sch\xf6n")
    diff = diff_messages(before, after)
    assert "-Subject: Gr\u00fc\u00dfe\n+Subject: x Gr\u00fc\u00dfe\n" in diff
    assert "-sch\u00f6n\n+sehr sch\u00f6n\n last" in diff
    assert diff.startswith(f"--- before ({len(before)} bytes)\n+++ after ({len(after)} bytes)\n")


def test_binary_parts_are_shown_by_size_and_hash() -> None:
    def message(content: bytes) -> bytes:
        return (
            HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n'
            b"Content-Type: application/pdf\r\n\r\n" + content + b"\r\n--b--\r\n"
        )

    diff = diff_messages(message(b"\x00" * 10), message(b"\x01" * 20))
    assert "-[application/pdf, 10 bytes, sha256 01d448afd928065458cf670b60f5a594]"[:40] in diff
    assert "+[application/pdf, 20 bytes, sha256 " in diff
    assert "--- part 2 ---" in diff


def test_a_change_that_nobody_can_read_is_reported_too() -> None:
    diff = diff_messages(HEAD + b"\r\nx", HEAD.replace(b": a@", b":\r\n a@") + b"\r\nx")
    assert diff.startswith("headers and bodies read the same")


def test_broken_messages_are_compared_too() -> None:
    head = b"Content-Type: multipart/mixed; boundary=x\r\nSubject: =?nope?q?\xff?=\r\n\r\n"
    broken = head + b"--x\r\nContent-Type: text/plain; charset=none\r\n\r\n\xff"
    assert "+" in diff_messages(broken, broken + b"more")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"Content-Type: message/rfc822\r\n\r\n" * 2_000, "parts nested too deep"),
        (HEAD + b"\r\n" + b"x\r\n" * 20_000, "too many lines"),
    ],
)
def test_messages_made_to_hold_the_comparison_up_are_reported_as_changed(message: bytes, reason: str) -> None:
    diff = diff_messages(message, message + b"more")
    assert diff.startswith(f"changed, with {reason}")
    assert diff.endswith(f"{len(message):,} bytes before, {len(message) + 4:,} bytes after")
