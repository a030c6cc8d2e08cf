"""Loopback stand-ins for the AWS services that steps call; they count the calls and keep nothing."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSWERS = {
    "DescribeEntity": {"EntityId": "entity", "Name": "entity", "Type": "USER"},
    "ListGroupMembers": {"Members": [{"Id": "another", "Type": "USER"}]},
    "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "00000000-0000-0000-0000-000000000000"}]},
    "PutItem": {},
    "UpdateItem": {"Attributes": {}},
}


class Services:
    """Attributes: `url` to call, `content` that a message has, `calls` so far."""

    def __init__(self) -> None:
        self.url = ""
        self.content = b""
        self.calls = 0

    @contextmanager
    def running(self) -> Iterator[Services]:
        """Serve as long as the context is open."""
        services = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def handle_expect_100(self) -> bool:
                proceed = super().handle_expect_100()
                self.wfile.flush()
                return proceed

            def do_GET(self) -> None:
                self._answer(services.content)

            def do_PUT(self) -> None:
                self._body()
                self._answer(b"")

            def do_POST(self) -> None:
                self._body()
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                self._answer(json.dumps(_ANSWERS[operation] if operation else {}).encode())

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _answer(self, body: bytes) -> None:
                services.calls += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"0123456789abcdef0123456789abcdef"')
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
