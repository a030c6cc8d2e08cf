"""Serves moto on loopback, patched, bootstrapped for the CDK and with the saved deployments."""

from __future__ import annotations

import logging
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from workmail_local.aws import moto_patches
from workmail_local.aws.bootstrap import bootstrap
from workmail_local.aws.cloudformation.custom_resource import CustomResourceProvider
from workmail_local.aws.cloudformation.local_stack import LocalStack
from workmail_local.aws.code_updates import CodeUpdates
from workmail_local.aws.custom_resource_functions import LocalCustomResourceFunctions
from workmail_local.aws.function_access import FunctionAccess
from workmail_local.aws.function_identities import FunctionIdentities
from workmail_local.aws.function_invocations import FunctionInvocations
from workmail_local.aws.local_organizations import LocalOrganizations
from workmail_local.aws.refusal import refusal
from workmail_local.aws.request_guard import RequestGuard
from workmail_local.aws.saved_deployments import SavedDeployments
from workmail_local.aws.workmail_event_logging import WorkMailEventLogging
from workmail_local.aws.workmail_reads import WorkMailReads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workmail_local.access_keys import AccessKeys


class Endpoint:
    """The local AWS.

    Attributes:
        failures: Saved deployments that could not be deployed again, and why; known once it serves.
    """

    failures: Sequence[str] = ()

    def __init__(self, *, state: Path | None, region: str, account: str, keys: AccessKeys, port: int = 0) -> None:
        identities = FunctionIdentities(account, keys)
        self._saved = SavedDeployments(state, identities)
        moto_patches.apply(account_of_key=identities.account_of_key)
        LocalStack.listener = self._saved
        bootstrap(account, region)
        # One line per request would bury what matters in the log.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        moto = _UnknownOperations(DomainDispatcherApplication(create_backend_app))
        self._temporary = tempfile.TemporaryDirectory()  # removed when the process ends
        kept = state or Path(self._temporary.name)
        event_logging = WorkMailEventLogging(WorkMailReads(moto, state), identities, kept)
        organizations = LocalOrganizations(event_logging, identities)
        updates = CodeUpdates(organizations, state=state, identities=identities)
        invocations = FunctionInvocations(updates, state=state, identities=identities)
        guarded = RequestGuard(FunctionAccess(invocations, identities), keys=keys, identities=identities)
        with _listen(port) as listener:
            self._server = make_server(
                "127.0.0.1", 0, guarded, threaded=True, request_handler=MotoRequestHandler, fd=listener.fileno()
            )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        CustomResourceProvider.functions = LocalCustomResourceFunctions(
            work=kept / "functions",
            endpoint=self.url,
            keys=keys,
            identities=identities,
            organizations=organizations,
        )

    @property
    def url(self) -> str:
        """Where the endpoint serves."""
        return f"http://localhost:{self._server.port}"

    def start(self) -> None:
        """Serve from a thread that ends with the process, and deploy what is saved."""
        self._thread.start()  # first: functions of custom resources call it
        self.failures = self._saved.replay()


def _listen(port: int) -> socket.socket:
    """Listen on the port if it is free, else on any."""
    with suppress(OSError):
        return socket.create_server(("127.0.0.1", port))
    return socket.create_server(("127.0.0.1", 0))


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
