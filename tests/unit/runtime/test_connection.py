"""Connections: each wait ends by its deadline, one that is open is used again, and proxies are gone through."""

from __future__ import annotations

import socket
import time
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.rules.webhook_server import WebhookServer, trusted_webhook
from tests.unit.runtime.conftest import Answer, StubAws
from workmail_runtime.aws_request import AwsRequest, send
from workmail_runtime.aws_settings import read_settings
from workmail_runtime.connection import Connection, tls_context
from workmail_runtime.content_errors import ServiceUnreachableError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENOUGH_S = 5.0
SHORT_S = 0.4
MARGIN_S = 0.6
"""What a busy machine may take to notice that the deadline is over."""


@contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Hand each connection to a function; yields the port."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                handle(self.request)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def drip(connection: socket.socket, data: bytes) -> None:
    """Send a byte every 50 ms, far more often than any timeout."""
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


@pytest.fixture
def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    """An HTTPS server whose certificate is trusted."""
    with trusted_webhook(tmp_path, monkeypatch) as server:
        yield server


def post(port: int, *, scheme: str = "https", host: str = "127.0.0.1", seconds: float = ENOUGH_S) -> int:
    with closing(Connection(scheme, host, port)) as connection:
        connection.end_at(time.monotonic() + seconds)
        connection.request("POST", "/x", b"{}", {"Content-Type": "application/json"})
        return connection.getresponse().status


def port_of(server: WebhookServer) -> int:
    return int(server.url.split(":")[2].split("/")[0])


# Deadlines


@pytest.mark.parametrize(
    ("scheme", "raw"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200),
        ("http", b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
        # The beginning of a TLS record of 16 KiB, the longest.
        ("https", b"\x16\x03\x03\x40\x00" + bytes(200)),
        ("https", b""),
    ],
)
def test_what_drips_in_ends_at_the_deadline(scheme: str, raw: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        drip(connection, raw)
        time.sleep(ENOUGH_S)

    with serving(handle) as port:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            post(port, scheme=scheme, seconds=SHORT_S)
        assert SHORT_S - 0.05 < time.monotonic() - started < SHORT_S + MARGIN_S


def test_a_host_that_is_not_found_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    over, look_up = Event(), socket.getaddrinfo

    def look_up_late(*args: Any, **options: Any) -> Any:
        if not options.get("flags"):
            over.wait(ENOUGH_S)
        return look_up(*args, **options)

    monkeypatch.setattr("socket.getaddrinfo", look_up_late)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="address was not found in time"):
        post(1, host="localhost", seconds=SHORT_S)
    over.set()
    assert time.monotonic() - started < SHORT_S + MARGIN_S


def test_nothing_is_sent_after_the_deadline(tls_server: WebhookServer) -> None:
    with pytest.raises(TimeoutError):
        post(port_of(tls_server), seconds=0)
    assert tls_server.posts == []


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_aws.answer(Answer())
    port = int(stub_aws.url.rpartition(":")[2])
    # A queue of one connection, which is full: nobody answers.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        waiting = [socket.socket() for _ in range(2)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        look_up = socket.getaddrinfo

        def both(host: str, port: int, **options: Any) -> Any:
            if options.get("flags"):
                raise socket.gaierror
            answering = look_up("127.0.0.1", port, type=socket.SOCK_STREAM)
            return [(*answering[0][:4], deaf.getsockname()), *answering]

        monkeypatch.setattr("socket.getaddrinfo", both)
        assert post(port, scheme="http", host="service.example", seconds=2) == 200
        for each in waiting:
            each.close()


# One connection, many requests


def call(url: str) -> bytes:
    return send(AwsRequest("GET", f"{url}/x", "s3"), read_settings("S3"), deadline=time.monotonic() + ENOUGH_S).body


def test_an_open_connection_is_used_again_and_one_that_ended_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = []

    def handle(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(3):
            while b"\r\n\r\n" not in connection.recv(100_000):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with serving(handle) as port:
        answers = []
        for _ in range(7):
            answers.append(call(f"http://127.0.0.1:{port}"))
            time.sleep(0.05)  # what ended has arrived
    assert answers == [b"ok"] * 7
    assert len(connections) == 3


def test_a_connection_with_more_than_was_asked_for_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"])

    def handle(connection: socket.socket) -> None:
        while connection.recv(100_000):
            connection.sendall(next(answers) + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with serving(handle) as port:
        assert [call(f"http://127.0.0.1:{port}") for _ in range(2)] == [b"1", b"2"]


def test_heads_and_bodies_do_not_wait_for_each_other(stub_aws: StubAws) -> None:
    stub_aws.answer(Answer())
    connection = Connection("http", "127.0.0.1", int(stub_aws.url.rpartition(":")[2]))
    with closing(connection):
        connection.connect()
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Proxies


@contextmanager
def proxying(answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Iterator[tuple[int, list[bytes]]]:
    """Run a proxy; yields its port and the heads that it gets."""
    heads: list[bytes] = []

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def handle(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        heads.append(head)
        connection.sendall(answer)
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as target:
            Thread(target=copy, args=(target, connection), daemon=True).start()
            copy(connection, target)

    with serving(handle) as port:
        yield port, heads


def test_https_goes_through_the_proxy_of_the_environment(
    tls_server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying() as (proxy, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass%20word@127.0.0.1:{proxy}")
        assert post(port_of(tls_server)) == 200
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert post(port_of(tls_server)) == 200
    (head,) = heads
    assert head.startswith(b"CONNECT 127.0.0.1:%d HTTP/1." % port_of(tls_server))
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n" in head
    assert len(tls_server.posts) == 2
    assert not any("proxy-authorization" in headers for _, headers, _ in tls_server.posts)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"SSH-2.0\r\n", b"x" * 100_000, b""])
def test_a_proxy_that_refuses(tls_server: WebhookServer, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with serving(handle) as proxy:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy}")
        with pytest.raises((OSError, HTTPException)):
            post(port_of(tls_server))
    assert tls_server.posts == []


def test_a_proxy_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection: drip(connection, b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 90)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy}")
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            post(1, host="service.example", seconds=SHORT_S)
        assert time.monotonic() - started < SHORT_S + MARGIN_S


@pytest.mark.parametrize("url", ["https://user:word@proxy.example", "socks5://proxy.example", "http://", "http://a:b"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(SettingsError, match="HTTPS_PROXY names no proxy that can be used") as raised:
        Connection("https", "service.example")
    assert "word" not in str(raised.value)


# Certificates


def test_the_authorities_of_a_bundle_are_trusted_and_no_others(
    tls_server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    tls_context.cache_clear()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    request = AwsRequest("POST", tls_server.url.partition("?")[0], "dynamodb", body=b"{}")
    with pytest.raises(ServiceUnreachableError, match="SSLCertVerificationError"):
        send(request, read_settings("DynamoDB"), deadline=time.monotonic() + ENOUGH_S)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tls_server.authority))
    assert send(request, read_settings("DynamoDB"), deadline=time.monotonic() + ENOUGH_S).body is not None
    assert len(tls_server.posts) == 1


def test_a_bundle_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="certificate authorities cannot be read from AWS_CA_BUNDLE: FileNotFound"):
        Connection("https", "service.example", ca_bundle=str(tmp_path / "none.pem"))
