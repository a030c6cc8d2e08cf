"""Posting to a webhook: what is sent, and every documented failure of one."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.unit.rules.webhook_server import WebhookAnswer, WebhookServer, trusted_webhook
from workmail_rules import webhook as module
from workmail_rules.webhook import WebhookError, post_json
from workmail_runtime.connection import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    with trusted_webhook(tmp_path, monkeypatch) as server:
        yield server


def post(url: str, *, seconds: float = 5) -> None:
    post_json(url, b'{"text": "x"}', deadline=time.monotonic() + seconds)


def test_the_document_is_posted_as_json(webhook: WebhookServer) -> None:
    post(f"  {webhook.url}\n")
    ((path, headers, body),) = webhook.posts
    assert (path, headers["content-type"], body) == ("/hooks/T0?key=k", "application/json", b'{"text": "x"}')


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_answer_of_success_is_one(webhook: WebhookServer, status: int) -> None:
    webhook.answer(WebhookAnswer(status, body=b"" if status == 204 else b"1"))
    post(webhook.url)
    assert len(webhook.posts) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_a_refused_document_is_not_posted_again(webhook: WebhookServer, status: int) -> None:
    webhook.answer(WebhookAnswer(status, body=b"invalid_payload"))
    with pytest.raises(WebhookError, match=rf"^the webhook answered with status {status}$") as raised:
        post(webhook.url)
    assert (raised.value.status, len(webhook.posts)) == (status, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(webhook: WebhookServer, status: int) -> None:
    webhook.answer(WebhookAnswer(status, {"Location": webhook.url}), WebhookAnswer())
    with pytest.raises(WebhookError, match=f"status {status}; redirects are not followed"):
        post(webhook.url)
    assert len(webhook.posts) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_document_that_was_not_taken_for_now_is_posted_again(webhook: WebhookServer, status: int) -> None:
    webhook.answer(WebhookAnswer(status), WebhookAnswer())
    post(webhook.url)
    assert len(webhook.posts) == 2


def test_a_document_is_posted_three_times_at_most(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(503))
    with pytest.raises(WebhookError, match="status 503"):
        post(webhook.url)
    assert len(webhook.posts) == 3


def in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("retry_after", [lambda: "1", in_two_seconds], ids=["seconds", "date"])
def test_it_waits_as_long_as_the_webhook_says(webhook: WebhookServer, retry_after: Callable[[], str]) -> None:
    webhook.answer(WebhookAnswer(429, {"Retry-After": retry_after()}), WebhookAnswer())
    started = time.monotonic()
    post(webhook.url)
    assert 0.9 < time.monotonic() - started < 3
    assert len(webhook.posts) == 2


@pytest.mark.parametrize("retry_after", ["30", "9" * 400, "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_it_does_not_wait_past_its_time(webhook: WebhookServer, retry_after: str) -> None:
    webhook.answer(WebhookAnswer(429, {"Retry-After": retry_after}))
    started = time.monotonic()
    with pytest.raises(WebhookError, match="status 429"):
        post(webhook.url)
    assert (len(webhook.posts), time.monotonic() - started < 2) == (1, True)


@pytest.mark.parametrize(
    "retry_after", ["", "soon", "-1", "1.5", "٣", "Fri, 99 Foo 2100", "Fri, 31 Dec 0000 23:59:59 GMT"]
)
def test_a_retry_after_that_is_none_is_not_waited_for(retry_after: str) -> None:
    assert module._seconds(retry_after) == 0


def test_a_slow_webhook_is_left_at_the_deadline(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(delay_s=3))
    started = time.monotonic()
    with pytest.raises(WebhookError, match="no whole answer in the time for it"):
        post(webhook.url, seconds=0.5)
    assert time.monotonic() - started < 1.5
    assert len(webhook.posts) == 1


def test_a_webhook_whose_answer_drips_is_left_at_the_deadline(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(raw=b"HTTP/1.1 200 OK\r\n" * 20, delay_s=0.2))
    started = time.monotonic()
    with pytest.raises(WebhookError, match="no whole answer in the time for it"):
        post(webhook.url, seconds=0.7)
    assert time.monotonic() - started < 1.7


def test_a_proxy_that_speaks_garbage_is_a_webhook_that_cannot_be_reached(
    webhook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> None:
        for _ in range(1 + len(module._WAITS_S)):
            connection, _ = proxy.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH of a secret host\r\n")

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        thread = Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(WebhookError, match=r"^the webhook cannot be reached: [A-Za-z]+$"):
            post(webhook.url)
        thread.join()
    assert webhook.posts == []


@pytest.mark.parametrize("raw", [b"", b"\0" * 300, b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70_000])
def test_garbage_is_not_posted_to_again(webhook: WebhookServer, raw: bytes) -> None:
    webhook.answer(WebhookAnswer(raw=raw))
    with pytest.raises(WebhookError, match="gave no answer that can be read"):
        post(webhook.url)
    assert len(webhook.posts) == 1


def test_only_the_beginning_of_an_answer_is_read(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 5_000))
    post(webhook.url)


def test_a_refused_connection_is_tried_three_times_and_named_without_the_url() -> None:
    started = time.monotonic()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/secret"
        with pytest.raises(WebhookError, match=r"^the webhook cannot be reached: ConnectionRefusedError$"):
            post(url)
    assert time.monotonic() - started > sum(module._WAITS_S)


def test_a_certificate_of_an_unknown_authority_is_refused(
    webhook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    tls_context.cache_clear()
    with pytest.raises(WebhookError, match="certificate that is not valid"):
        post(webhook.url)
    assert webhook.posts == []


def test_a_certificate_for_another_host_is_refused(webhook: WebhookServer) -> None:
    with pytest.raises(WebhookError, match="certificate that is not valid"):
        post(webhook.url.replace("127.0.0.1", "localhost"))
    assert webhook.posts == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/T0",
        "http://hooks.example.com/T0",
        "file:///etc/passwd",
        "https://",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com:port/",
        "https://[hooks/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX-Header: 1",
        "https://höoks.example.com/",
        '{"url": "https://hooks.example.com/"}',
    ],
)
def test_a_secret_without_an_https_url_is_refused_without_naming_it(url: str) -> None:
    with pytest.raises(WebhookError, match="secret") as raised:
        post(url)
    assert "example" not in str(raised.value)
