from __future__ import annotations

import pytest

from tests.cpu_time import assert_linear
from tests.local.mail.envelope_files import FILES
from workmail_local.mail.envelope import Envelope, envelope_of

MESSAGE = b"From: ann@other.test\r\nTo: bob@other.test, BOB@other.test, eve@other.test\r\n\r\nhi\r\n"


@pytest.mark.parametrize("name", FILES)
def test_the_envelope_of_a_file(name: str) -> None:
    head, mail_from, recipients = FILES[name]
    message = head + b"\r\nTo: body@b.test\r\n"
    assert envelope_of(message) == Envelope(mail_from=mail_from, recipients=recipients)


def test_a_file_without_recipients_has_none() -> None:
    assert envelope_of(b"From: ann@a.test\r\nTo: undisclosed-recipients:;\r\n\r\nTo: x@b.test\r\n").recipients == ()
    assert envelope_of(b"\r\nTo: body@b.test\r\n").recipients == ()


@pytest.mark.parametrize(("given", "mail_from"), [("<>", ""), ("", ""), ("me@a.test", "me@a.test")])
def test_what_is_given_wins_and_the_null_reverse_path_can_be_given(given: str, mail_from: str) -> None:
    found = envelope_of(MESSAGE, mail_from=given, recipients=["x@y.test"])
    assert found == Envelope(mail_from=mail_from, recipients=("x@y.test",))


@pytest.mark.fact("E4")
def test_inbound_recipients_outside_the_organization_become_its_own_if_none_is() -> None:
    found = envelope_of(MESSAGE, domains=["example.com", "example.org"])
    assert found.mail_from == "ann@other.test"
    assert found.recipients == ("BOB@example.com", "eve@example.com")
    assert "sent to the same mailboxes of its first domain" in found.notes[0]


@pytest.mark.fact("E4")
def test_inbound_recipients_outside_the_organization_are_left_out_beside_its_own() -> None:
    found = envelope_of(MESSAGE.replace(b"eve@other.test", b"eve@EXAMPLE.org"), domains=["example.com", "example.org"])
    assert found.recipients == ("eve@EXAMPLE.org",)
    assert found.notes == ("1 recipients are not the organization's and get nothing (E4)",)


@pytest.mark.parametrize(
    ("message", "sender"),
    [
        (MESSAGE, "ann@example.com"),
        (b"Return-Path: <>\r\n" + MESSAGE, "sender@example.com"),
        (MESSAGE.replace(b"ann@other.test", b"ann@example.org"), "ann@example.org"),
    ],
)
def test_an_outbound_sender_becomes_one_of_the_organization(message: bytes, sender: str) -> None:
    found = envelope_of(message, direction="outbound", domains=["example.com", "example.org"])
    assert found.mail_from == sender
    assert found.recipients == ("BOB@other.test", "eve@other.test")


@pytest.mark.parametrize("unit", ["a@x,", "(", "To: a@x\r\n", "\r\n ", "a. ", "To:\r\n a@x\r\n", ":"])
def test_work_grows_with_the_header_and_no_faster(unit: str) -> None:
    short, long = (f"To: {unit * times}".encode() for times in (10_000, 40_000))
    assert_linear(lambda: envelope_of(short), lambda: envelope_of(long))
