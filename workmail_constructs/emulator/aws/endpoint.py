"""Serves moto on loopback, with our CloudFormation and what `cdk bootstrap` makes."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from flask import Flask, Response, request
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from workmail_constructs.emulator.aws import bootstrap
from workmail_constructs.emulator.aws.cloudformation import stacks
from workmail_constructs.emulator.aws.function_access import FunctionAccess
from workmail_constructs.emulator.aws.function_identities import FunctionIdentities
from workmail_constructs.emulator.aws.saved_deployments import SavedDeployments

if TYPE_CHECKING:
    from pathlib import Path


class Endpoint:
    """The loopback AWS.

    Attributes:
        failures: Saved deployments that could not be deployed again, and why.
    """

    def __init__(self, *, state: Path | None, region: str, account: str, port: int = 0) -> None:
        identities = FunctionIdentities(account)
        identities.install()
        saved = SavedDeployments(state, identities)
        stacks.install(saved)
        bootstrap.install()
        bootstrap.bootstrap(account, region)
        self.failures = saved.replay()
        # A line for each request would bury what matters in the log.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server(
            "127.0.0.1",
            port,
            FunctionAccess(DomainDispatcherApplication(_create_backend_app), identities),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where the endpoint serves."""
        return f"http://localhost:{self._server.server_port}"

    def start(self) -> None:
        """Serve from a thread that ends with the process."""
        self._thread.start()


def _create_backend_app(service: Any) -> Flask:
    app = create_backend_app(service)
    app.register_error_handler(NotImplementedError, _not_implemented)
    return app


def _not_implemented(error: Exception) -> Response:
    # As AWS refuses an unknown operation; moto's status 500 has every SDK try again for half a minute.
    message = f"The local AWS (moto) cannot do this: {error}"
    if "X-Amz-Target" in request.headers:
        body, content_type = json.dumps({"__type": "UnknownOperationException", "message": message}), "json"
    else:
        error_xml = f"<Error><Code>InvalidAction</Code><Message>{escape(message)}</Message></Error>"
        body, content_type = f"<ErrorResponse>{error_xml}</ErrorResponse>", "xml"
    return Response(body, status=400, content_type=f"application/{content_type}")
