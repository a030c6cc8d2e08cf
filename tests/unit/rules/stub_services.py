"""AWS services for steps that run as plain functions: they answer what a test says, and keep a table for `once`."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.unit.runtime.load_event import load_event
from workmail_rules.conversation import Conversation
from workmail_rules.message import Message
from workmail_runtime.aws_request import close_idle_connections
from workmail_runtime.event import Event, InboundEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

Reply = dict[str, Any] | tuple[int, dict[str, Any]] | bytes
"""The body of an answer; with another status than 200, a pair; bytes as they are."""


@dataclass(slots=True)
class StubServices:
    """Answers each operation in the order of its answers; the last one stands for all after it."""

    url: str = ""
    answers: dict[str, list[Reply]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The operation and the arguments of each call, those to the table of `once` left out."""
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the table of `once` holds, by key."""

    def answer(self, operation: str, *replies: Reply) -> None:
        self.answers[operation] = list(replies)

    def arguments(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == operation]

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.calls]

    def reply(self, operation: str, arguments: dict[str, Any]) -> Reply:
        if operation in _OF_TABLE:
            return _OF_TABLE[operation](self.done, arguments)
        self.calls.append((operation, arguments))
        replies = self.answers[operation]
        return replies.pop(0) if len(replies) > 1 else replies[0]


def _update(done: dict[str, dict[str, Any]], arguments: dict[str, Any]) -> Reply:
    key, values = arguments["Key"]["id"]["S"], arguments["ExpressionAttributeValues"]
    if ":done" in values:
        done[key] = {"done": values[":done"]}
    elif key in done:
        return 400, {"__type": "ConditionalCheckFailedException"}
    return {}


_OF_TABLE = {
    "UpdateItem": _update,
    "GetItem": lambda done, arguments: {"Item": done[arguments["Key"]["id"]["S"]]},
    "DeleteItem": lambda _, __: {},
}


@contextmanager
def serving() -> Iterator[StubServices]:
    """Serve while the context is open."""
    stub = StubServices()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            arguments = json.loads(self.rfile.read(int(self.headers["content-length"])))
            reply = stub.reply(self.headers["x-amz-target"].rpartition(".")[2], arguments)
            status, body = reply if isinstance(reply, tuple) else (200, reply)
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running_services(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServices]:
    """Serve where Lambda's environment would point at AWS."""
    with serving() as stub:
        environment = {
            "AWS_ENDPOINT_URL": stub.url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_MAX_ATTEMPTS": "1",
            "WORKMAIL_STEPS_TABLE": "once",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        try:
            yield stub
        finally:
            close_idle_connections()


@dataclass(frozen=True, slots=True)
class Context:
    """Lambda's context, with the time that is left."""

    left_s: float

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left_s * 1000)


def new_message(
    event: str = "inbound",
    *,
    left_s: float = 10,
    kind: type[Event] = InboundEvent,
    step: str = "Step",
    recipients: Sequence[str] | None = None,
    **changes: Any,
) -> Message:
    """Return a message as a step gets it, of an event whose top-level fields are changed."""
    parsed = kind.parse(load_event(event, **changes), Context(left_s))  # type: ignore[arg-type]
    conversation = Conversation(parsed)
    left = conversation.outcomes.left
    return Message(conversation, step=step, recipients=left if recipients is None else tuple(recipients))


def outcomes_of(message: Message) -> dict[str, Any]:
    """Return the reply that the message's steps have decided so far."""
    return dict(message._conversation.outcomes.reply().to_dict())
