"""What handlers of custom resources call, on loopback: services that answer, and the context of an invocation."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from workmail_custom_resources import custom_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

SECRET = "X-Amz-Signature=0a1b2c3d"


class Server(ThreadingHTTPServer):
    """Answers every request with what `reply` returns for its body, and keeps the requests."""

    daemon_threads = True

    def __init__(self, reply: Callable[[str, dict[str, Any]], tuple[int, object]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = reply
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.is_ending = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body, dict(self.headers)))
        status, content = self.server.reply(self.headers.get("X-Amz-Target", ""), body)
        answer = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Context:
    """What Lambda hands over; by default the function has all of its minute left."""

    seconds: float = 60
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:111122223333:function:Lookup"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@contextmanager
def called(monkeypatch: pytest.MonkeyPatch, workmail: Server, cloudformation: Server) -> Iterator[None]:
    """Have handlers call these, without pauses; what still hangs ends with the context, so no later test is called."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_WORKMAIL", workmail.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(custom_resource, "ANSWER_PAUSES", (0, 0, 0))
    monkeypatch.setattr(custom_resource, "PAUSES_UNTIL_IT_COUNTS", (0, 0))
    before = {*threading.enumerate()}
    yield
    workmail.is_ending.set()
    for thread in {*threading.enumerate()} - before:
        if thread.name.startswith("ThreadPoolExecutor"):  # of a handler that did not wait for it
            thread.join()
    for server in (workmail, cloudformation):
        server.shutdown()
        server.server_close()
