"""C8 as the service judges it."""

from __future__ import annotations

import pytest

from workmail_local.message_flow.check_update import check_update

HEADERS = b"From: a@example.com\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
PLAIN = HEADERS + b"Subject: x\r\n\r\nhello\r\n"
MIXED = (
    HEADERS
    + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n\r\nhello\r\n'
    + b'--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
    + b"\r\nx\r\n--b--\r\n"
)


def refused(updated: bytes, original: bytes = PLAIN) -> str:
    return "; ".join(check_update(updated, original=original).refused)


@pytest.mark.fact("C8")
@pytest.mark.parametrize("message", [PLAIN, MIXED, PLAIN.replace(b"\r\n", b"\n"), MIXED.replace(b"\r\n", b"\n")])
def test_a_good_message_is_taken(message: bytes) -> None:
    assert refused(message, message) == ""


@pytest.mark.fact("C8")
@pytest.mark.parametrize(
    ("updated", "fault"),
    [
        (
            PLAIN.replace(b"From: a@example.com\r\n", b""),
            "required header From is missing; immutable header From was removed",
        ),
        (PLAIN.replace(b"<1@", b"<2@"), "immutable header Message-Id was changed"),
        (b"Sender: b@example.com\r\n" + PLAIN, "immutable header Sender was added"),
        (b"Subject: y\r\n" + PLAIN, "header Subject may appear once and appears 2 times"),
        (b"no header\r\n" + PLAIN, "message: header line 1 is not of the form Name: value"),
        (MIXED.replace(b"--b--\r\n", b""), "multipart/mixed is not well formed: its closing delimiter"),
        (MIXED.replace(b"--b", b"--c"), "multipart/mixed is not well formed: a delimiter line"),
        (MIXED.replace(b'; boundary="b"', b""), "multipart/mixed names no boundary"),
        (MIXED.replace(b"a.pdf", b"a.EXE"), "part 2: Amazon SES does not accept attachments with the extension .exe"),
        (b"X-Long: " + b"x" * 999 + b"\r\n" + PLAIN, "line 1 is longer than 1,000 bytes with its CRLF"),
        (PLAIN + b"x" * 999 + b"\r\n", "line 7 is longer than 1,000 bytes with its CRLF"),
    ],
)
def test_each_fault_is_reported(updated: bytes, fault: str) -> None:
    assert fault in refused(updated)


@pytest.mark.fact("C8")
def test_a_line_of_998_bytes_and_its_crlf_is_allowed() -> None:
    assert refused(PLAIN + b"x" * 998 + b"\r\n") == ""


@pytest.mark.fact("C8")
def test_another_folding_or_encoding_of_a_header_is_no_change() -> None:
    assert refused(PLAIN.replace(b"Date: Thu, 1 Jan", b"Date: Thu,\r\n  1 Jan")) == ""
    q, b = b"To: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\n", b"To: =?utf-8?b?SsO8cmdlbg==?= <j@example.com>\r\n"
    assert refused(q + PLAIN, b + PLAIN) == ""
    assert refused(q + PLAIN, b.replace(b"j@", b"k@") + PLAIN) == "immutable header To was changed"


@pytest.mark.fact("C8")
def test_faults_of_nested_parts_name_the_part() -> None:
    inner = MIXED.replace(b'"b"', b'"inner"').replace(b"--b--\r\n", b"").replace(b"--b\r\n", b"--inner\r\n")
    outer = HEADERS + b'Content-Type: multipart/mixed; boundary="o"\r\n\r\n--o\r\n' + inner.removeprefix(HEADERS)
    assert "part 1: multipart/mixed is not well formed: its closing" in refused(outer + b"\r\n--o--\r\n")


@pytest.mark.fact("C8")
def test_unencoded_text_is_advised_against_and_not_refused() -> None:
    findings = check_update(PLAIN + "é".encode(), original=PLAIN)
    assert findings.refused == ()
    assert "should be encoded" in findings.advice[0]


def test_parts_nested_without_end_are_refused_not_followed() -> None:
    levels = 300
    opened = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(levels))
    assert "nested more than 100 deep" in refused(HEADERS + opened + b"\r\nx\r\n")
