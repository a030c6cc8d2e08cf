"""Serves moto on loopback, patched, bootstrapped for the CDK and with the saved deployments."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from workmail_local.aws import moto_patches
from workmail_local.aws.bootstrap import bootstrap
from workmail_local.aws.cloudformation.local_stack import LocalStack
from workmail_local.aws.function_access import FunctionAccess
from workmail_local.aws.function_identities import FunctionIdentities
from workmail_local.aws.refusal import refusal
from workmail_local.aws.request_guard import RequestGuard
from workmail_local.aws.saved_deployments import SavedDeployments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workmail_local.access_keys import AccessKeys


class Endpoint:
    """The local AWS.

    Attributes:
        failures: Saved deployments that could not be deployed again, and why.
    """

    def __init__(self, *, state: Path | None, region: str, account: str, keys: AccessKeys) -> None:
        identities = FunctionIdentities(account, keys)
        saved = SavedDeployments(state, identities)
        moto_patches.apply(account_of_key=identities.account_of_key)
        LocalStack.listener = saved
        bootstrap(account, region)
        self.failures = saved.replay()
        # One line per request would bury what matters in the log.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        moto = _UnknownOperations(DomainDispatcherApplication(create_backend_app))
        guarded = RequestGuard(FunctionAccess(moto, identities), keys=keys, identities=identities)
        self._server = make_server("127.0.0.1", 0, guarded, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where the endpoint serves."""
        return f"http://localhost:{self._server.server_port}"

    def start(self) -> None:
        """Serve from a thread that ends with the process."""
        self._thread.start()


class _UnknownOperations:
    """WSGI middleware that refuses an operation that moto lacks as AWS refuses an unknown one.

    moto answers it with status 500, and every SDK retries that for half a minute.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return self._application(environ, start_response)
        except NotImplementedError as error:
            message = f"The local AWS (moto) cannot do this: {error}"
        refused = refusal(environ, message, json_code="UnknownOperationException", xml_code="InvalidAction", status=400)
        return refused(environ, start_response)
