"""`SaveMessage`: what is put, under which key, and what happens when it cannot be."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.one_message import INVOCATION_ID, MESSAGE_ID, asynchronous_message, edited, new_event, one_message
from tests.unit.runtime.conftest import Answer, StubAws, stub_aws
from workmail_rules.save_message import object_key, run
from workmail_runtime import put_object
from workmail_runtime.aws_request import AwsRequest, AwsResponse
from workmail_runtime.content_errors import ServiceError
from workmail_runtime.edit import MessageEditor

if TYPE_CHECKING:
    from workmail_rules.message import Message

aws = stub_aws

MAIL = b"From: carol@example.net\r\nSubject: Secret merger\r\n\r\nHello\r\n"
ARGUMENTS: dict[str, Any] = {"bucket": "archive", "prefix": "mail/", "header": None}
EXISTS = Answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")


def key_today() -> str:
    return time.strftime(f"mail/%Y/%m/%d/inbound/{MESSAGE_ID}/{INVOCATION_ID}", time.gmtime())


def test_the_bytes_and_the_event_are_put_with_what_object_lock_asks_for(aws: StubAws) -> None:
    aws.answer(Answer())
    message = one_message(MAIL)
    run(message, **ARGUMENTS)
    mail, event = aws.received
    assert (mail.method, mail.path, mail.body) == ("PUT", f"/archive/{key_today()}.eml", MAIL)
    assert (event.method, event.path) == ("PUT", f"/archive/{key_today()}.json")
    assert json.loads(event.body) == message.event.raw
    for put in aws.received:
        assert base64.b64decode(put.headers["x-amz-checksum-crc32"]) == zlib.crc32(put.body).to_bytes(4, "big")
        assert put.headers["if-none-match"] == "*"
    assert message.notes == [f"saved {len(MAIL)} bytes", f"saved {len(event.body)} bytes"]
    assert message.edit_may_be_lost


def test_what_came_is_saved_also_behind_an_edit_and_in_an_asynchronous_rule(aws: StubAws) -> None:
    aws.answer(Answer())
    message = one_message(MAIL)
    message.editor.prefix_subject("[EXT]")
    run(message, **ARGUMENTS)
    run(asynchronous_message(MAIL), **ARGUMENTS)
    assert [put.body for put in aws.received[::2]] == [MAIL, MAIL]


@pytest.mark.fact("E7")
@pytest.mark.parametrize("answers", [(EXISTS,), (Answer(), EXISTS), (EXISTS, Answer())])
def test_a_retry_leaves_what_an_earlier_attempt_saved(aws: StubAws, answers: tuple[Answer, ...]) -> None:
    aws.answer(*answers)
    message = one_message(MAIL)
    run(message, **ARGUMENTS)
    assert "saved by an earlier attempt" in message.notes
    assert len(aws.received) == 2


@pytest.mark.parametrize("status", [403, 409])
def test_what_cannot_be_saved_is_a_failure(aws: StubAws, status: int) -> None:
    aws.answer(Answer(status, b"<Error><Code>No</Code><Message>carol@example.net</Message></Error>"))
    with pytest.raises(ServiceError, match=r"^No ") as caught:
        run(one_message(MAIL), **ARGUMENTS)
    assert "carol" not in str(caught.value)


YESTERDAY = b"Date: Wed, 25 Nov 2026 23:00:00 +0000\r\n"
NOW = 1_795_651_200.0 + 12 * 3600  # noon of 2026-11-26, UTC


def day(raw: bytes) -> str:
    return object_key(one_message(raw), NOW)[:10]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", "2026/11/26"),
        (b"Received: by mx; Wed, 25 Nov 2026 23:59:59 +0000\r\n", "2026/11/25"),
        (b"Received: by mx; Thu, 26 Nov 2026 00:59:59 +0100\r\n", "2026/11/25"),
        (b"Received: by mx; Wed, 25 Nov 2026 23:30:00 -0100 (CVT)\r\n", "2026/11/26"),
        (b"received: from a;\r\n by mx;\r\n\tWed, 25 nov 2026 23:59 +0000\r\n", "2026/11/25"),
        (
            b"Received: by mx; Thu, 26 Nov 2026 11:00:00 +0000\r\n" + YESTERDAY,
            "2026/11/26",
        ),
        (
            b"Received: by mx; Thu, 26 Nov 2026 13:30:00 +0000\r\n" + YESTERDAY,
            "2026/11/25",
        ),
        (YESTERDAY, "2026/11/25"),
        (b"Date: Wed, 25 Nov 2026 11:00:00 +0000\r\n", "2026/11/26"),
        (b"Date: Fri, 27 Nov 2026 00:00:00 +0000\r\n", "2026/11/26"),
        (b"Date: Wed, 99 Nov 9999 99:99:99 +9999\r\n", "2026/11/26"),
        (b"Date: Wed, 25 Nov 0000 23:00:00 +0000\r\n", "2026/11/26"),
        (b"Subject: Received: by mx; Wed, 25 Nov 2026 23:59:59 +0000\r\n", "2026/11/26"),
        (b"\r\n" + YESTERDAY, "2026/11/26"),
    ],
)
def test_the_day_is_that_of_the_messages_coming(fields: bytes, expected: str) -> None:
    assert day(fields + b"\r\nHello") == expected
    assert day((fields + b"\r\nHello").replace(b"\r\n", b"\n")) == expected


@given(st.floats(0, 24 * 3600 - 1))
def test_an_attempt_within_a_day_finds_the_same_key(later: float) -> None:
    raw = f"Received: by mx; {formatdate(NOW)}\r\n\r\n".encode()
    assert object_key(one_message(raw), NOW + later) == object_key(one_message(raw), NOW)


@given(st.binary())
def test_no_bytes_keep_a_message_from_being_saved(head: bytes) -> None:
    assert day(b"Received: " + head).startswith("2026/11/2")
    assert day(b"Date: " + head + b" Nov 2026 23:00:00 +0000").startswith("2026/11/2")


def test_a_key_has_no_characters_that_an_id_must_not_bring() -> None:
    event = new_event(invocationId="../a?b#c%/é", flowDirection="OUTBOUND")
    assert object_key(one_message(MAIL, event), NOW) == f"2026/11/26/outbound/{MESSAGE_ID}/---a-b-c---"


def saved_with_header(raw: bytes, aws: StubAws) -> Message:
    aws.answer(Answer())
    message = one_message(raw)
    run(message, **{**ARGUMENTS, "header": "X-Saved-As"})
    return message


@pytest.mark.fact("C8")
def test_a_header_names_the_key_and_is_no_reason_to_fail(aws: StubAws) -> None:
    message = saved_with_header(b"X-Saved-As: forged\r\nx-saved-as: too\r\n" + MAIL, aws)
    assert MessageEditor(edited(message)).headers("X-Saved-As") == [f"{key_today()}.eml"]
    assert message.edit_may_be_lost
    assert aws.received[0].body.startswith(b"X-Saved-As: forged")


def test_a_message_that_cannot_be_edited_is_saved_without_header(aws: StubAws) -> None:
    malformed = b"From: c@example.net\r\nno field\r\n\r\nHello\r\n"
    message = saved_with_header(malformed, aws)
    assert edited(message) == malformed
    assert message.notes[-1] == "no header: MALFORMED_HEADERS"
    assert len(aws.received) == 2


def test_a_large_message_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    def send(request: AwsRequest, settings: object, *, deadline: float | None) -> AwsResponse:
        nonlocal sent
        while chunk := request.body.read(65536):  # type: ignore[union-attr]
            sent += len(chunk)
        return AwsResponse({}, b"")

    monkeypatch.setattr(put_object, "send", send)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    message = one_message(MAIL + b"x" * 25_000_000)
    tracemalloc.start()
    run(message, **ARGUMENTS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 25_000_000
    assert peak < 1_000_000


def test_a_bucket_with_dots_is_named_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = []

    def send(request: AwsRequest, settings: object, *, deadline: float | None) -> AwsResponse:
        urls.append(request.url)
        return AwsResponse({}, b"")

    monkeypatch.setattr(put_object, "send", send)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    run(one_message(MAIL), **{**ARGUMENTS, "bucket": "mail.example.com"})
    assert urls[0].startswith("https://s3.eu-west-1.amazonaws.com/mail.example.com/mail/20")
