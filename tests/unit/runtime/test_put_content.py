from __future__ import annotations

import base64
import json
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.conftest import Answer, StubAws
from tests.unit.runtime.load_event import load_event
from workmail_runtime import AsynchronousEvent, Event, SynchronousEvent
from workmail_runtime.content import MessageContent, UpdateOutcome, WhenRefused
from workmail_runtime.content_errors import (
    AccessDeniedError,
    ContentUnavailableError,
    InvalidContentLocationError,
    MessageFrozenError,
    MessageRejectedError,
    UpdateRefusedError,
)

if TYPE_CHECKING:
    from workmail_runtime.content_errors import ServiceError

MAIL = b"From: alice@partner.example\r\nSubject: Secret merger\r\n\r\nHello\r\n"
KEY = "00aabbcc-1122-3344-5566-77889900aabb/0123456789abcdef0123456789abcdef"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages-bucket")
    return "messages-bucket"


def _content(kind: type[Event] = SynchronousEvent, raw: bytes = MAIL, **changes: Any) -> MessageContent:
    return MessageContent(kind.parse(load_event("inbound", **changes)), raw)


def _refusal(code: str, status: int = 400) -> Answer:
    return Answer(status, b'{"message": "No."}', {"x-amzn-ErrorType": code})


@pytest.mark.fact("C1", "C6")
@pytest.mark.parametrize(
    ("version", "reference"),
    [
        ({"x-amz-version-id": "v1"}, {"bucket": "messages-bucket", "key": KEY, "objectVersion": "v1"}),
        ({"x-amz-version-id": "null"}, {"bucket": "messages-bucket", "key": KEY}),
        ({}, {"bucket": "messages-bucket", "key": KEY}),
    ],
)
def test_put(stub_aws: StubAws, bucket: str, version: dict[str, str], reference: dict[str, str]) -> None:
    stub_aws.answer(Answer(headers=version), Answer())
    content = _content()
    editor = content.edit()
    editor.prefix_subject("[EXT]")
    assert content.put(editor).outcome is UpdateOutcome.UPDATED
    upload, put = stub_aws.received
    assert (upload.method, upload.path) == ("PUT", f"/{bucket}/{KEY}")
    assert upload.body == MAIL.replace(b"Subject: ", b"Subject: [EXT] ")
    assert upload.headers["x-amz-content-sha256"] == sha256(upload.body).hexdigest()
    checksum = zlib.crc32(upload.body).to_bytes(4, "big")
    assert base64.b64decode(upload.headers["x-amz-checksum-crc32"]) == checksum
    assert (put.method, put.path) == ("POST", "/messages/00aabbcc-1122-3344-5566-77889900aabb")
    assert json.loads(put.body) == {"content": {"s3Reference": reference}}


def test_put_bytes_into_a_named_bucket(stub_aws: StubAws) -> None:
    stub_aws.answer(Answer())
    assert _content().put(MAIL + b"World\r\n", bucket="other").outcome is UpdateOutcome.UPDATED
    assert stub_aws.received[0].path.startswith("/other/")


def test_an_upload_is_sent_whole_again_when_it_fails(
    stub_aws: StubAws, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setattr("random.random", lambda: 0.0)
    stub_aws.answer(Answer(503), Answer())
    _content().put(MAIL + b"x" * 500 + b"\r\n")
    first, second, _ = stub_aws.received
    assert first.body == second.body == MAIL + b"x" * 500 + b"\r\n"


@pytest.mark.fact("E7", "C4")
def test_a_retry_edits_once_and_puts_once(stub_aws: StubAws, bucket: str) -> None:
    def handle(raw: bytes) -> UpdateOutcome:
        content = _content(raw=raw)
        editor = content.edit()
        editor.prefix_subject("[EXT]")
        editor.add_banner("Sent from outside.")
        editor.add_footer("Mind the attachments.")
        return content.put(editor).outcome

    stub_aws.answer(Answer())
    assert handle(MAIL) is UpdateOutcome.UPDATED
    assert handle(stub_aws.received[0].body) is UpdateOutcome.UNCHANGED
    assert len(stub_aws.received) == 2


def test_an_unchanged_message_is_not_put(stub_aws: StubAws) -> None:
    content = _content()
    assert content.put(content.edit()).outcome is UpdateOutcome.UNCHANGED
    assert content.put(MAIL).outcome is UpdateOutcome.UNCHANGED
    assert stub_aws.received == []


@pytest.mark.fact("C7", "C8", "C9")
@pytest.mark.parametrize(
    ("code", "error"), [("MessageFrozen", MessageFrozenError), ("MessageRejected", MessageRejectedError)]
)
def test_refused_updates_go_as_declared(
    stub_aws: StubAws, bucket: str, code: str, error: type[UpdateRefusedError], caplog: pytest.LogCaptureFixture
) -> None:
    stub_aws.answer(Answer(), _refusal(code))
    update = _content().put(MAIL + b"World\r\n")
    assert update.outcome is UpdateOutcome.REFUSED
    assert type(update.refusal) is error
    assert f"message 00aabbcc-1122-3344-5566-77889900aabb goes on unchanged: {code}" in caplog.text
    with pytest.raises(error):
        _content().put(MAIL + b"World\r\n", when_refused=WhenRefused.FAIL)


@pytest.mark.fact("C8")
def test_what_would_be_rejected_is_found_before_any_call(stub_aws: StubAws, bucket: str) -> None:
    update = _content().put(MAIL + b"x" * 2_000)
    assert update.outcome is UpdateOutcome.REFUSED
    assert isinstance(update.refusal, MessageRejectedError)
    assert "longer than 1,000 bytes" in str(update.refusal)
    with pytest.raises(MessageRejectedError, match="longer than 1,000 bytes"):
        _content().put(MAIL + b"x" * 2_000, when_refused=WhenRefused.FAIL)
    assert stub_aws.received == []


@pytest.mark.fact("C5")
def test_a_bucket_workmail_may_not_read_is_an_error_whatever_is_declared(stub_aws: StubAws, bucket: str) -> None:
    stub_aws.answer(Answer(), _refusal("InvalidContentLocation"))
    with pytest.raises(InvalidContentLocationError, match=r"InvalidContentLocation \(400\); No\.; the bucket must"):
        _content().put(MAIL + b"World\r\n")


def test_s3_refuses_in_xml(stub_aws: StubAws, bucket: str) -> None:
    body = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>'
    stub_aws.answer(Answer(403, body, {"x-amz-request-id": "s3-1"}))
    with pytest.raises(AccessDeniedError, match=r"AccessDenied \(403\); Not you\.; grant .*; request s3-1"):
        _content().put(MAIL + b"World\r\n")


@pytest.mark.fact("C4")
def test_an_asynchronous_handler_cannot_put(stub_aws: StubAws, bucket: str) -> None:
    with pytest.raises(ContentUnavailableError, match=r"rule is asynchronous, .* \(C4\): make the rule synchronous"):
        _content(AsynchronousEvent).put(MAIL)
    assert stub_aws.received == []


@pytest.mark.fact("C6")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (None, "there is no bucket to upload to: WORKMAIL_MESSAGE_BUCKET is not set"),
        ("dotted.bucket", "the bucket is 'dotted.bucket'; WorkMail takes"),
    ],
)
def test_no_usable_bucket(stub_aws: StubAws, name: str | None, text: str) -> None:
    with pytest.raises(ContentUnavailableError, match=text):
        _content().put(MAIL + b"World\r\n", bucket=name)
    assert stub_aws.received == []


@pytest.mark.fact("C6")
def test_no_usable_key(stub_aws: StubAws, bucket: str) -> None:
    with pytest.raises(ContentUnavailableError, match=r"the object key is .*_1'; WorkMail takes .* \(C6\)"):
        _content(invocationId="invocation_1").put(MAIL + b"World\r\n")
    assert stub_aws.received == []


def test_real_endpoints(monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    """Without a configured endpoint the calls go where boto3's would."""
    sent: list[str] = []

    def send(request: Any, settings: Any, *, deadline: float | None) -> Any:
        del settings, deadline
        sent.append(request.url)
        raise ConnectionRefusedError

    for module in ("content", "put_object"):
        monkeypatch.setattr(f"workmail_runtime.{module}.send", send)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    for switches in ({}, {"AWS_USE_FIPS_ENDPOINT": "true"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}):
        with monkeypatch.context() as patch:
            for name, value in switches.items():
                patch.setenv(name, value)
            with pytest.raises(ConnectionRefusedError):
                _content().event.fetch_content()
            with pytest.raises(ConnectionRefusedError):
                _content().put(MAIL + b"World\r\n")
    message = "/messages/00aabbcc-1122-3344-5566-77889900aabb"
    assert sent == [
        f"https://workmailmessageflow.eu-west-1.amazonaws.com{message}",
        f"https://{bucket}.s3.eu-west-1.amazonaws.com/{KEY}",
        f"https://workmailmessageflow-fips.eu-west-1.amazonaws.com{message}",
        f"https://{bucket}.s3-fips.eu-west-1.amazonaws.com/{KEY}",
        f"https://workmailmessageflow.eu-west-1.api.aws{message}",
        f"https://{bucket}.s3.dualstack.eu-west-1.amazonaws.com/{KEY}",
    ]


def test_errors_of_refused_updates_are_service_errors_too() -> None:
    error: ServiceError = MessageFrozenError("MessageFrozen", "No.", status=400, request_id=None)
    assert isinstance(error, UpdateRefusedError)
