"""Lambda's Runtime API for one process: hands out events and takes results.

A bare `asyncio.Protocol`, because every invocation passes through it: one write for head and body, TCP_NODELAY (set by
asyncio), and only the part of HTTP that runtime clients use: HTTP/1.1 with Content-Length, one request at a time.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from workmail_local.loopback import belongs_to_another_user

MAX_RESPONSE_BYTES: Final = 6_291_556
"""The largest reply Lambda takes, slightly more than 6 MB (Lambda quotas, invocation payload)."""

_ROOT: Final = b"/2018-06-01/runtime/"
_ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"


class RuntimeEvents(Protocol):
    """What the Runtime API calls on its owner."""

    def ready(self, api: RuntimeApi) -> None:
        """The client waits for the next event: answer with `api.send_event`, now or later."""

    def replied(self, payload: bytes) -> None:
        """The handler returned."""

    def failed(self, error: bytes) -> None:
        """The handler raised; `error` is JSON with errorType and errorMessage."""

    def replied_too_large(self, size: int) -> None:
        """The handler returned more than `MAX_RESPONSE_BYTES`."""

    def failed_init(self, error: bytes) -> None:
        """The handler could not be loaded; `error` is JSON with errorType and errorMessage."""


class RuntimeApi(asyncio.Protocol):
    """One connection of the runtime client.

    Args:
        owner: Called for each request.
        fixed_head: The header fields that are the same for all events, each with its CRLF.
    """

    __slots__ = ("_buffer", "_fixed_head", "_owner", "_request_id", "_skip", "_transport", "_wanted")

    def __init__(self, owner: RuntimeEvents, fixed_head: bytes) -> None:
        self._owner = owner
        self._fixed_head = fixed_head
        self._buffer: bytes | bytearray = b""
        self._wanted = 0  # bytes the request in the buffer needs, once known
        self._skip = 0  # bytes still to come of a refused body
        self._request_id = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write; end the connection of another user of this machine, whom a token could not stop.

        The address of the Runtime API is a host and a port, so the runtime client could not send one.
        """
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server passes one
        if belongs_to_another_user(transport.get_extra_info("peername"), transport.get_extra_info("sockname")):
            transport.abort()
            return
        self._transport = transport

    def close(self) -> None:
        """End the connection: the process that it came from may not have closed it yet."""
        if self._transport is not None:
            self._transport.abort()

    def send_event(self, event: bytes, *, request_id: str, deadline_ms: int, trace_id: str) -> None:
        """Answer the waiting request with an event."""
        self._request_id = request_id.encode()
        head = (
            f"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\nLambda-Runtime-Trace-Id: {trace_id}\r\n"
            f"Content-Length: {len(event)}\r\n"
        )
        self._write(head.encode() + self._fixed_head + b"\r\n" + event)

    def data_received(self, data: bytes) -> None:
        """Buffer what arrives; handle each request once it is complete."""
        if self._skip:
            data = self._skip_body(data)
        if self._buffer:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)  # grows without copying a large result over and over
            self._buffer += data
        else:
            self._buffer = data
        buffer = self._buffer
        while buffer and len(buffer) >= self._wanted:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _content_length(buffer, end) if buffer.startswith(b"POST") else 0
            if length is None:
                self._write(_BAD_REQUEST)
                return
            size = end + 4 + length
            if length > MAX_RESPONSE_BYTES:
                self._skip = size - len(buffer)
                self._buffer = b""
                if self._skip <= 0:
                    self._skip_body(b"")
                self._owner.replied_too_large(length)
                return
            if len(buffer) < size:
                self._wanted = size
                return
            self._wanted = 0
            self._buffer = buffer[size:]
            self._handle(bytes(buffer[: buffer.find(b"\r\n")]), bytes(buffer[end + 4 : size]))
            buffer = self._buffer

    def _skip_body(self, data: bytes) -> bytes:
        """Read past a refused body; answer once all of it has arrived."""
        self._skip -= len(data)
        if self._skip > 0:
            return b""
        rest = data[len(data) + self._skip :] if self._skip else b""
        self._skip = 0
        self._write(_TOO_LARGE)
        return rest

    def _handle(self, request_line: bytes, body: bytes) -> None:
        path = request_line.split(b" ", 2)[1] if request_line.count(b" ") == 2 else b""
        action = path.removeprefix(_ROOT)
        if action == b"invocation/next":
            self._owner.ready(self)
        elif action == b"invocation/" + self._request_id + b"/response":
            self._write(_ACCEPTED)
            self._owner.replied(body)
        elif action == b"invocation/" + self._request_id + b"/error":
            self._write(_ACCEPTED)
            self._owner.failed(body)
        elif action == b"init/error":
            self._write(_ACCEPTED)
            self._owner.failed_init(body)
        else:
            self._write(_NOT_FOUND)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _content_length(buffer: bytes | bytearray, end: int) -> int | None:
    """Return the Content-Length of the head that ends at `end`; None if it is missing or not a number."""
    head = buffer[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return None
    value = head[at + 17 :].split(b"\r\n", 1)[0].strip()
    return int(value) if value.isdigit() else None
