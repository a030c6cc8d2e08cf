"""Serves moto on loopback."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from pathlib import Path


class Endpoint:
    """moto's server with our CloudFormation, on loopback only."""

    def __init__(self, *, state: Path | None, region: str, account: str, port: int = 0) -> None:
        self._state = state
        self._region = region
        self._account = account
        application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where the endpoint serves."""
        return f"http://localhost:{self._server.server_port}"

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
