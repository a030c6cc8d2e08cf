"""Answers that no service gives: a call ends in time, in bounds and with a typed error, whatever the socket brings."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.unit.runtime.conftest import Answer, StubAws
from tests.unit.runtime.load_event import load_event
from workmail_runtime import SynchronousEvent
from workmail_runtime.aws_request import MAX_ANSWER_BYTES, close_idle_connections
from workmail_runtime.content import MessageContent
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Script = Callable[[socket.socket], None]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
LEFT_S, SPARE_S = 1.2, 0.5
MARGIN_S = 0.6
"""What a busy machine may take to notice that the deadline is over."""


class RawServer:
    """A server that accepts connections, reads the head of a request and then does what `script` says."""

    def __init__(self) -> None:
        self.script: Script = lambda _: None
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self.over.is_set():
            connection, _ = self._listener.accept()
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and not self.over.is_set():
                head += connection.recv(1)
            self.script(connection)

    def drip(self, connection: socket.socket, data: bytes) -> None:
        """Send a byte every 50 ms, far more often than any timeout, until the test is over."""
        for byte in data:
            if self.over.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    def close(self) -> None:
        self.over.set()
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join()
        self._listener.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    server = RawServer()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    try:
        yield server
    finally:
        server.close()
        close_idle_connections()


def _event(end: float | None = None) -> SynchronousEvent:
    """An event whose invocation Lambda ends at `end`; never, if that is None."""
    if end is None:
        return SynchronousEvent.parse(load_event("inbound"))
    context = SimpleNamespace(
        aws_request_id="attempt", get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000)
    )
    return SynchronousEvent.parse(load_event("inbound"), context)


def _drip_head(server: RawServer) -> Script:
    return lambda connection: server.drip(connection, HEAD % 3)


def _drip_body(server: RawServer) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(HEAD % 400)
        server.drip(connection, b"x" * 400)

    return script


def _drip_chunks(server: RawServer) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        server.drip(connection, b"1\r\nx\r\n" * 100)

    return script


def _say_nothing(server: RawServer) -> Script:
    return lambda _: server.over.wait()  # type: ignore[return-value]


@pytest.mark.parametrize("behave", [_drip_head, _drip_body, _drip_chunks, _say_nothing])
def test_no_answer_holds_a_handler_past_its_deadline(server: RawServer, behave: Callable[[RawServer], Script]) -> None:
    server.script = behave(server)
    end = time.monotonic() + LEFT_S
    with pytest.raises(ServiceUnreachableError, match=r"no whole answer|no answer"):
        _event(end).fetch_content()
    assert end - SPARE_S - 0.15 < time.monotonic() < end - SPARE_S + MARGIN_S


def test_nobody_who_reads_slowly_holds_an_upload_past_its_deadline(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages-bucket")
    server.script = _say_nothing(server)
    mail = b"From: alice@partner.example\r\n\r\n" + b"x" * 70 + b"\r\n"
    end = time.monotonic() + LEFT_S
    with pytest.raises(ServiceUnreachableError, match=r"no whole answer|no answer"):
        MessageContent(_event(end), mail).put(mail + (b"y" * 78 + b"\r\n") * 200_000)
    assert time.monotonic() < end - SPARE_S + MARGIN_S


@pytest.mark.fact("F16")
@pytest.mark.parametrize("length", [b"%d" % (MAX_ANSWER_BYTES + 1), b"9" * 40, b"9" * 5_000])
def test_a_length_that_no_message_has_is_refused(server: RawServer, length: bytes) -> None:
    server.script = lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n")
    with pytest.raises(ServiceUnreachableError, match=r"at most 42,991,616 are read \(F16\)"):
        _event().fetch_content()


@pytest.mark.fact("F16")
@pytest.mark.parametrize(
    ("length", "error"),
    [(b"", r"at most 42,991,616 are read \(F16\)"), (b"Content-Length: 1\r\n", "no answer from .*: ConnectionError")],
)
def test_chunks_without_end_are_refused(server: RawServer, length: bytes, error: str) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + length + b"\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        while not server.over.is_set():
            connection.sendall(chunk)

    server.script = script
    with pytest.raises(ServiceUnreachableError, match=error):
        _event().fetch_content()


def test_a_length_without_bytes_allocates_nothing(server: RawServer, stub_aws: StubAws) -> None:
    stub_aws.answer(Answer(body=b"From: a@b.example\r\n\r\n"))
    with pytest.MonkeyPatch.context() as patch:  # what the first call imports does not count
        patch.setenv("AWS_ENDPOINT_URL", stub_aws.url)
        _event().fetch_content()
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        server.script = lambda connection: connection.sendall(HEAD % MAX_ANSWER_BYTES)
        tracemalloc.start()
        try:
            with pytest.raises(ServiceUnreachableError, match="ConnectionError"):
                _event().fetch_content()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2_000_000


def test_nothing_is_sent_when_no_time_is_left(stub_aws: StubAws) -> None:
    stub_aws.answer(Answer(body=b"From: a@b.example\r\n\r\n"))
    with pytest.raises(ServiceUnreachableError, match="in the time that was left"):
        _event(time.monotonic() + SPARE_S).fetch_content()
    assert stub_aws.received == []


def test_a_short_body_is_not_taken_for_the_message(server: RawServer) -> None:
    server.script = lambda connection: connection.sendall(HEAD % 10 + b"From: a")
    with pytest.raises(ServiceUnreachableError, match=r"no answer from 127.0.0.1:\d+: ConnectionError"):
        _event().fetch_content()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"message": ' + b'{"a":' * 60_000,
        b"[" * 1_000_000,
        b"<a>" * 300_000,
        b'<?xml version="1.0" encoding="none"?><Error/>',
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(
            b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (n, *[n - 1] * 8) for n in range(ord("b"), ord("m"))
        )
        + b"]><Error><Code>&l;</Code></Error>",
        b"\xff\xfe{}",
    ],
)
def test_the_body_of_an_error_is_never_trusted(stub_aws: StubAws, body: bytes) -> None:
    stub_aws.answer(Answer(400, body))
    with pytest.raises(ServiceError, match=r"HTTP 400 \(400\)") as raised:
        _event().fetch_content()
    assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize(
    "region", ["us-east-1.evil.example/", "us-east-1\n", "us-east-1@evil.example", "", "-", "a" * 64, "é"]
)
def test_a_region_that_is_no_name_is_refused_before_any_call(
    stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    with pytest.raises(SettingsError, match=r"the Region is '.*'; it must be like eu-west-1|no Region is set"):
        _event().fetch_content()
    assert stub_aws.received == []


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:4566",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://user:word@127.0.0.1",
        "http://127.0.0.1?x=",
        "http://127.0.0.1#",
        "http://127.0.0.1/\r\nx-evil: 1",
        "http://127.0.0.1\n",
        "http://a b",
    ],
)
def test_an_endpoint_that_is_no_url_is_refused_before_any_call(
    stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(
        SettingsError, match=r"the endpoint of WorkMailMessageFlow is .*; it must be a URL like"
    ) as raised:
        _event().fetch_content()
    assert "word" not in str(raised.value)
    assert stub_aws.received == []
