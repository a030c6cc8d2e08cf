"""Serves moto on loopback, with our CloudFormation and what `cdk bootstrap` makes."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from workmail_constructs.emulator.aws import bootstrap
from workmail_constructs.emulator.aws.accounts import Accounts
from workmail_constructs.emulator.aws.cloudformation import stacks
from workmail_constructs.emulator.aws.saved_deployments import SavedDeployments

if TYPE_CHECKING:
    from pathlib import Path


class Endpoint:
    """The loopback AWS.

    Attributes:
        failures: Saved deployments that could not be deployed again, and why.
    """

    def __init__(self, *, state: Path | None, region: str, account: str, port: int = 0) -> None:
        accounts = Accounts(account)
        accounts.install()
        saved = SavedDeployments(state, accounts)
        stacks.install(saved)
        bootstrap.install()
        bootstrap.bootstrap(account, region)
        self.failures = saved.replay()
        # A line for each request would bury what matters in the log.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server(
            "127.0.0.1",
            port,
            DomainDispatcherApplication(create_backend_app),
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
