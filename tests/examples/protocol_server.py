"""An HTTP server on loopback that plays a protocol for the examples' own steps."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets.

    Args:
        content: JSON, or bytes as they are.
        raw: Bytes in place of an HTTP answer; empty if the connection just ends.
        byte_s: The time before each byte of `raw`.
    """

    status: int = 200
    content: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    byte_s: float = 0


@dataclass(slots=True)
class ProtocolServer:
    """Answers each request by the protocol, the next ones by what the test has put into `instead`."""

    url: str
    protocol: Callable[[Request], Answer]
    instead: list[Callable[[Request], Answer]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.instead.pop(0)(request) if self.instead else self.protocol(request)

    def answer_next(self, *answers: Answer) -> None:
        """Give the next requests these answers, in their order."""
        self.instead = [lambda _, each=each: each for each in answers]


@contextmanager
def running(protocol: Callable[[Request], Answer]) -> Iterator[ProtocolServer]:
    """Serve while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            where = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = server.answer(Request(self.command, where.path, parse_qs(where.query), headers, body))
            if answer.raw is not None:
                for index in range(len(answer.raw)):
                    time.sleep(answer.byte_s)
                    self.wfile.write(answer.raw[index : index + 1])
                return
            content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Say nothing of connections that the client closed."""

    http = Server(("127.0.0.1", 0), Handler)
    server = ProtocolServer(f"http://127.0.0.1:{http.server_port}", protocol)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
