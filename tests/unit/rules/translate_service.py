"""A stand-in for Amazon Translate: it speaks TranslateText over HTTP, and fails as the service's documents say."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = {"hola": "hello", "amigos": "friends", "mundo": "world", "<b>": "<b>"}
"""What it knows of Spanish; a text with none of it is English."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it answers in place of a translation."""

    status: int = 200
    body: bytes = b"{}"
    seconds: float = 0
    """How long it takes."""


def refusal(code: str, status: int = 400, **fields: str) -> Answer:
    """Return an answer that refuses the request."""
    return Answer(status, json.dumps({"__type": code, "Message": "No.", **fields}).encode())


TOO_MANY = refusal("TooManyRequestsException", 429)
THROTTLED = refusal("ThrottlingException")
TOO_LARGE = refusal("TextSizeLimitExceededException")
NO_SUCH_PAIR = refusal("UnsupportedLanguagePairException", SourceLanguageCode="xx", TargetLanguageCode="en")
NOT_SURE = refusal("DetectedLanguageLowConfidenceException", DetectedLanguageCode="es")
BROKEN = refusal("InternalServerException", 500)
UNAVAILABLE = refusal("ServiceUnavailableException", 503)


@dataclass(slots=True)
class TranslateService:
    """What came, and what is answered first."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """Answered in this order; then it translates."""
    seconds: float = 0
    """How long each translation takes."""

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the next answer."""
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        text, source = request["Text"], request["SourceLanguageCode"]
        if not 0 < len(text.encode()) <= 10_000:
            return TOO_LARGE
        if source == "auto":
            source = "es" if any(word in text.lower() for word in WORDS) else "en"
        translated = text
        for word, known in WORDS.items():
            translated = translated.replace(word, known).replace(word.capitalize(), known.capitalize())
        target = request["TargetLanguageCode"]
        body = {"TranslatedText": translated, "SourceLanguageCode": source, "TargetLanguageCode": target}
        return Answer(body=json.dumps(body).encode(), seconds=self.seconds)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[TranslateService]:
        """Run it on a port of its own while the context is open."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                is_call = self.headers["X-Amz-Target"] == "AWSShineFrontendService_20170701.TranslateText"
                is_signed = "/translate/aws4_request" in self.headers.get("Authorization", "")
                answer = service.answer(request) if is_call and is_signed else refusal("InvalidRequestException")
                time.sleep(answer.seconds)
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing of a client that did not wait for its answer."""

        server = Server(("127.0.0.1", 0), Handler)
        service = cls(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
