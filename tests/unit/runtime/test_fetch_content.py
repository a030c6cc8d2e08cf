from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.conftest import Answer, StubAws
from tests.unit.runtime.load_event import load_event
from workmail_runtime import AsynchronousEvent, SynchronousEvent
from workmail_runtime.aws_settings import read_credentials, read_settings
from workmail_runtime.content_errors import (
    AccessDeniedError,
    ContentUnavailableError,
    MessageNotFoundError,
    ServiceError,
    ServiceUnreachableError,
    SettingsError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_runtime.content import MessageContent

MAIL = b"From: alice@partner.example\r\nSubject: Secret merger\r\n\r\nHello\r\n"


def _fetch(**changes: Any) -> MessageContent:
    return SynchronousEvent.parse(load_event("inbound", **changes)).fetch_content()


def _refusal(code: str, status: int = 400, message: str = "No.") -> Answer:
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/", "x-amzn-RequestId": "request-1"}
    return Answer(status, json.dumps({"message": message}).encode(), headers)


@pytest.mark.fact("C1")
def test_fetch(stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    stub_aws.answer(Answer(body=MAIL))
    content = _fetch()
    assert content.raw == MAIL
    (request,) = stub_aws.received
    assert (request.method, request.path) == ("GET", "/messages/00aabbcc-1122-3344-5566-77889900aabb")
    assert "/eu-west-1/workmailmessageflow/aws4_request" in request.headers["authorization"]
    assert request.headers["x-amz-security-token"] == "token"


def test_an_asynchronous_handler_can_fetch_too(stub_aws: StubAws) -> None:
    stub_aws.answer(Answer(body=MAIL))
    assert AsynchronousEvent.parse(load_event("inbound")).fetch_content().raw == MAIL


def test_printing_content_shows_id_and_size_only(stub_aws: StubAws) -> None:
    stub_aws.answer(Answer(body=MAIL))
    shown = "MessageContent(message_id='00aabbcc-1122-3344-5566-77889900aabb', 60 bytes)"
    assert repr(_fetch()) == shown.replace("60", str(len(MAIL)))


@pytest.mark.fact("F16")
def test_a_message_is_held_once(stub_aws: StubAws) -> None:
    size = 16 * 1024 * 1024
    stub_aws.answer(Answer(body=MAIL), Answer(body=MAIL.ljust(size, b"x")))
    _fetch()  # what the first call imports does not count
    tracemalloc.start()
    try:
        content = _fetch()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(content.raw) == size
    assert peak < 1.1 * size


@pytest.mark.fact("F16")
def test_messages_of_earlier_invocations_are_forgotten(stub_aws: StubAws) -> None:
    size = 4 * 1024 * 1024
    parts = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ny\r\n--x--\r\n"
    stub_aws.answer(Answer(body=MAIL), Answer(body=(MAIL[:-9] + parts).ljust(size, b"\n")))
    assert _fetch().edit().parts  # what the first call imports does not count
    tracemalloc.start()
    try:
        for _ in range(4):
            assert _fetch().edit().parts
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * size


@pytest.mark.fact("E2")
def test_an_older_edition_has_no_content(stub_aws: StubAws) -> None:
    with pytest.raises(ContentUnavailableError, match="no messageId"):
        SynchronousEvent.parse(load_event("edition_oldest")).fetch_content()
    assert stub_aws.received == []


@pytest.mark.fact("C2")
@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            _refusal("ResourceNotFoundException", 404),
            MessageNotFoundError,
            r"ResourceNotFoundException \(404\); No\.; .* readable for 24 hours \(C2\); request request-1",
        ),
        (_refusal("AccessDeniedException", 403), AccessDeniedError, "grant the function's role the call"),
        (_refusal("SomethingNew"), ServiceError, r"SomethingNew \(400\); No\."),
        (Answer(400, b"<html>proxy</html>"), ServiceError, r"HTTP 400 \(400\)"),
        (Answer(400, b"["), ServiceError, r"HTTP 400 \(400\)"),
        (Answer(302, b""), ServiceError, r"HTTP 302 \(302\)"),
    ],
)
def test_refusals_are_typed(stub_aws: StubAws, answer: Answer, error: type[ServiceError], text: str) -> None:
    stub_aws.answer(answer)
    with pytest.raises(ServiceError, match=text) as raised:
        _fetch()
    assert type(raised.value) is error


def test_an_error_shows_no_address_that_the_service_gives(stub_aws: StubAws) -> None:
    stub_aws.answer(_refusal("SomethingNew", message="bad header: <alice@partner.example>"))
    with pytest.raises(ServiceError) as raised:
        _fetch()
    assert "@" not in str(raised.value)
    assert raised.value.service_message == "bad header: <alice@partner.example>"


@pytest.mark.parametrize(
    "failure",
    [
        Answer(500),
        Answer(503, b"{}"),
        Answer(429),
        _refusal("ThrottlingException"),
        Answer(body=MAIL, cut=10),
    ],
)
def test_failures_that_may_pass_are_tried_again(
    stub_aws: StubAws, failure: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    stub_aws.answer(failure, failure, Answer(body=MAIL))
    assert _fetch().raw == MAIL
    assert len(waits) == 2
    stub_aws.answer(failure)
    with pytest.raises((ServiceError, ServiceUnreachableError)):
        _fetch()
    assert len(stub_aws.received) == 6


def test_other_refusals_are_not_tried_again(stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    stub_aws.answer(_refusal("ResourceNotFoundException", 404))
    with pytest.raises(MessageNotFoundError):
        _fetch()
    assert len(stub_aws.received) == 1


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, stub_aws: StubAws) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ServiceUnreachableError, match=r"no answer from 127.0.0.1:1: .*\(tried 1 times\)"):
        _fetch()
    assert stub_aws.received == []


def test_no_try_starts_when_lambdas_time_is_over(stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")
    monkeypatch.setattr("random.random", lambda: 1.0)
    stub_aws.answer(Answer(503))
    end = time.monotonic() + 0.7
    context = SimpleNamespace(
        aws_request_id="attempt", get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000)
    )
    with pytest.raises(ServiceError):
        SynchronousEvent.parse(load_event("inbound"), context).fetch_content()
    assert len(stub_aws.received) < 5
    assert time.monotonic() < end


# Settings, as boto3 reads them


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return monkeypatch


def test_settings_without_anything_configured(bare_environment: pytest.MonkeyPatch) -> None:
    settings = read_settings("WorkMailMessageFlow")
    assert (settings.region, settings.endpoint_url, settings.max_attempts) == ("eu-west-1", None, 3)


def test_default_region_goes_first_as_in_boto3(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert read_settings("S3").region == "us-west-2"


def test_no_region(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.delenv("AWS_REGION")
    with pytest.raises(SettingsError, match="no Region is set: set AWS_DEFAULT_REGION or AWS_REGION"):
        read_settings("S3")


def test_the_services_own_endpoint_goes_first(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1/")
    assert read_settings("WorkMailMessageFlow").endpoint_url == "http://127.0.0.1:1"
    bare_environment.setenv("AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW", "http://127.0.0.1:2/")
    assert read_settings("WorkMailMessageFlow").endpoint_url == "http://127.0.0.1:2"
    assert read_settings("S3").endpoint_url == "http://127.0.0.1:1"
    bare_environment.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert read_settings("WorkMailMessageFlow").endpoint_url is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_RETRY_MODE": "legacy"}, 5),
        ({"AWS_RETRY_MODE": "standard"}, 3),
        ({"AWS_RETRY_MODE": "adaptive"}, 3),
        ({"AWS_RETRY_MODE": "legacy", "AWS_MAX_ATTEMPTS": "2"}, 2),
    ],
)
def test_attempts(bare_environment: pytest.MonkeyPatch, variables: dict[str, str], expected: int) -> None:
    for name, value in variables.items():
        bare_environment.setenv(name, value)
    assert read_settings("S3").max_attempts == expected


@pytest.mark.parametrize(("variable", "value"), [("AWS_RETRY_MODE", "eager"), ("AWS_MAX_ATTEMPTS", "0")])
def test_settings_that_boto3_refuses(bare_environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    bare_environment.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{variable} is '{value}'"):
        read_settings("S3")


_READ_FROM_FILES = """
from workmail_runtime.aws_settings import read_credentials, read_settings
print(read_settings("WorkMailMessageFlow"), read_credentials().access_key)
"""


def test_a_config_file_and_botocores_credentials_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(
        "[default]\nregion = us-west-2\nendpoint_url = http://127.0.0.1:3\nretry_mode = legacy\n", encoding="utf-8"
    )
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = from-file\naws_secret_access_key = s\n", encoding="utf-8"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    # In a process of its own: botocore's session is kept for the life of one, as Lambda's is.
    done = subprocess.run([sys.executable, "-c", _READ_FROM_FILES], capture_output=True, text=True, check=True)
    assert "region='us-west-2', endpoint_url='http://127.0.0.1:3', max_attempts=5" in done.stdout
    assert done.stdout.endswith("from-file\n")


def test_credentials_never_print_themselves() -> None:
    assert "test" not in repr(read_credentials())
