"""Message heads of real mail, and of mail that somebody made to hurt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cpu_time import assert_linear
from workmail_local.message_head import MAX_FIELD_BYTES, MessageHead


@pytest.mark.parametrize(
    ("head", "subject"),
    [
        (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_Ann?=\r\n", "Gr\u00fc\u00dfe Ann"),
        (b"subject: folded\r\n over lines\r\n", "folded over lines"),
        (b"Subject: one\r\nSubject: two\r\n", "one"),
        (b"Subject: =?nope?q?x?=\r\n", "=?nope?q?x?="),
        (b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n", "Gr\u00fc\u00dfe"),
        (b"Subject: Gr\xc3\xbc\xc3\x9fe =?utf-8?q?x?=\r\n", "Gr\u00fc\u00dfe x"),
        (b"Subject: bad \xff byte\n", "bad \ufffd byte"),
        (b"X: y\r\n\r\nSubject: in the body\r\n", ""),
        (b"\r\nSubject: in the body\r\n\r\n", ""),
        (b"X-Subject: other\r\n Subject: folded into it\r\n", ""),
        (b"Subject:\r\n", ""),
        (b"", ""),
    ],
)
def test_subjects_of_real_mail(head: bytes, subject: str) -> None:
    assert MessageHead.parse(head).subject == subject


@pytest.mark.parametrize(
    ("head", "address"),
    [
        (b"From: =?utf-8?q?Ann=2C?= B <ann@example.org>\r\n", "ann@example.org"),
        (b'From: "Lee, Ann"\r\n <ann@example.org>, bob@example.org\r\n', "ann@example.org"),
        (b"From: J\xc3\xb6rg <ann@example.org>\r\n", "ann@example.org"),
        (b"From: J\xf6rg <ann@example.org>\r\n", "ann@example.org"),
        (b"From: " + b"(" * 500 + b")" * 500 + b" ann@example.org\r\n", "ann@example.org"),
        (b"From: undisclosed\r\n", ""),
        (b"From:\r\n", ""),
    ],
)
def test_from_addresses_of_real_mail(head: bytes, address: str) -> None:
    assert MessageHead.parse(head).from_ == address


def test_a_field_is_read_up_to_its_limit_and_no_address_is_cut() -> None:
    filler = b"x" * (MAX_FIELD_BYTES - 10)
    assert len(MessageHead.parse(b"Subject: " + filler * 2).subject) == MAX_FIELD_BYTES
    assert MessageHead.parse(b"From: (" + filler + b") ann@example.org").from_ == ""
    assert MessageHead.parse(b"From: ann@example.org, " + filler * 2).from_ == "ann@example.org"
    assert MessageHead.parse(b"From: " + filler + b"@example.org.test").from_ == ""


@given(st.binary(), st.binary())
def test_any_bytes_have_a_head_that_can_be_stored(subject: bytes, sender: bytes) -> None:
    head = MessageHead.parse(b"Subject:" + subject + b"\r\nFrom: <" + sender + b"@example.org>\r\nSender:" + sender)
    assert f"{head.subject}{head.from_}{head.sender}".encode().decode() == f"{head.subject}{head.from_}{head.sender}"


@pytest.mark.parametrize(
    "unit", ["(", '"\\', "\u0301", "=?utf-8?q?x?= ", "=?", "\r\n ", "\r\nSubject:", "\r\nfrom ", "a. "]
)
@pytest.mark.parametrize("field", ["Subject: ", "From: "])
def test_work_grows_with_the_message_and_no_faster(field: str, unit: str) -> None:
    short, long = ((field + unit * times).encode() for times in (10_000, 40_000))
    assert_linear(lambda: MessageHead.parse(short), lambda: MessageHead.parse(long))
