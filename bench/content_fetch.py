"""A cold fetch of a message's content: ours against a boto3 client, each in a fresh process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from bench._cold_start import cold_starts
from bench._measure import Measure

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLERS = {
    "ours": """
from workmail_runtime import Reply, SynchronousEvent, synchronous

@synchronous
def handler(event: SynchronousEvent) -> Reply:
    assert len(event.fetch_content().raw) == SIZE
    return event.reply.default_for_all()
""",
    "guide": """
import boto3

def handler(event, context):
    workmail_message_flow = boto3.client("workmailmessageflow")
    content = workmail_message_flow.get_raw_message_content(messageId=event["messageId"])["messageContent"].read()
    assert len(content) == SIZE
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
""",
}
SMALL, LARGE = 50_000, 40 * 1024 * 1024
GOAL = 0.35


def run() -> list[Measure]:
    """Measure the CPU of a small message, which is the cold start's, and of the largest there is (F16)."""
    measures = []
    for size, goal in ((SMALL, GOAL), (LARGE, None)):
        handlers = {name: f"SIZE = {size}\n{source}" for name, source in HANDLERS.items()}
        with _message_flow(size) as endpoint, cold_starts(handlers, endpoint) as starts:
            client = starts.cpu_ms("-")
            ours, theirs = starts.cpu_ms("ours") - client, starts.cpu_ms("guide") - client
        measures.append(
            Measure(
                f"cold fetch of {size / 1024 / 1024:.2g} MiB",
                ours,
                theirs,
                "ms CPU",
                goal,
                "boto3, one client",
            )
        )
    return measures


@contextmanager
def _message_flow(size: int) -> Iterator[dict[str, str]]:
    """Serve one message on loopback; yields the environment that points at it."""
    content = b"Subject: Hello\r\n\r\n".ljust(size, b"x")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {"AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
