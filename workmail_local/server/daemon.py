"""The local WorkMail as one process: SMTP, message flow service, API, engine, and the AWS endpoint as its child."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from aiohttp import web

from workmail_local.aws.server import AwsEndpoint
from workmail_local.clock import Clock
from workmail_local.deployed import Deployed
from workmail_local.deployment import load_deployments
from workmail_local.email_flow.destinations import Destinations
from workmail_local.email_flow.engine import Engine
from workmail_local.email_flow.invoker import Invoker
from workmail_local.faults import FaultPlan
from workmail_local.functions import FunctionHost
from workmail_local.functions.handler_layer import handler_layer
from workmail_local.handler_folder import HandlerFolder
from workmail_local.mail.delivery import PostOffice
from workmail_local.message_flow.permissions import ContentPermissions
from workmail_local.message_flow.service import MessageFlowService, S3Objects
from workmail_local.server.api import LocalApi
from workmail_local.server.process import READY_FILE
from workmail_local.server.report import Reports
from workmail_local.server.smtp import SUBMISSION_USER, SmtpPorts
from workmail_local.server.watchers import Watchers
from workmail_local.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_local.mail.mailboxes import Mailboxes

_log = logging.getLogger(__name__)

SETTINGS_FILE = "settings.json"
"""What stays the same over restarts: ports and the submission password."""

_LONGEST_REQUEST_LINE = 512 * 1024
"""500 recipients of the longest addresses fit (F16, RFC 5321 section 4.5.3.1.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the local WorkMail runs.

    Args:
        region: One of WorkMail's (L1).
        account: Of everything deployed here.
        time_scale: Seconds of WorkMail's waiting that pass in one.
        smtp_port: 0 takes the one of the last run if it is free, else any; so do the next two.
        submission_port: For authenticated, outbound mail.
        api_port: For the HTTP API.
        concurrency: Functions that run at a time.
        aws_endpoint: An AWS endpoint on loopback that runs already; None starts one that ends with this process.
    """

    region: str
    account: str
    time_scale: float = 1.0
    smtp_port: int = 0
    submission_port: int = 0
    api_port: int = 0
    concurrency: int = 8
    aws_endpoint: str | None = None


class AlreadyRunningError(Exception):
    """Another local WorkMail has this state folder."""


class CannotStartError(Exception):
    """A port is taken, the state folder cannot be written, or the like; the text says which."""


class LocalWorkMail:
    """Everything that runs, put together."""

    store: Store
    engine: Engine
    faults: FaultPlan
    reports: Reports
    deployed: Deployed

    def __init__(self, state: Path, settings: Settings) -> None:
        self.state = state.absolute()
        self.settings = settings
        self.watchers = Watchers()
        self._post_office = PostOffice(self.state, is_local=lambda address: self.deployed.declares(address))
        self._stack = AsyncExitStack()
        self._ready: dict[str, Any] = {}

    @property
    def mailboxes(self) -> Mailboxes:
        """The mailboxes of the organizations' users."""
        return self._post_office.mailboxes

    async def start(self) -> dict[str, Any]:
        """Start every part, go on with unfinished mail, and return what `daemon.json` tells."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.callback(_lock(self.state).close)
        settings = self.settings
        aws = asyncio.create_task(self._aws())
        kept = _kept_settings(self.state)
        clock = Clock(settings.time_scale)
        self.store = Store(self.state, clock)
        self._stack.push_async_callback(self.store.close)
        self.faults = FaultPlan(self.state / "faults.json")
        endpoint = await aws
        objects = self._objects = S3Objects(endpoint, region=settings.region)
        self._stack.push_async_callback(objects.close)
        destinations = self._destinations = Destinations(endpoint)
        self._stack.push_async_callback(destinations.close)
        await self._load()

        access = ContentPermissions(deployed=lambda: self.deployed, faults=self.faults, rule_of=self.store.rule_name)
        message_flow = MessageFlowService(self.store, objects=objects, admit=access.admit, check_put=access.check_put)
        message_flow_url = await message_flow.start()
        self._stack.push_async_callback(message_flow.close)

        host = FunctionHost(
            work=self.state / "functions",
            endpoints={
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": message_flow_url,
            },
            max_concurrency=settings.concurrency,
        )
        await self._stack.enter_async_context(host)
        invoker = Invoker(host, deployed=lambda: self.deployed, faults=self.faults, clock=clock)
        self.reports = Reports(self.store, invoker.event)
        self.engine = Engine(
            store=self.store,
            post_office=self._post_office,
            invoker=invoker,
            destinations=destinations,
            deployed=lambda: self.deployed,
            clock=clock,
            publish=self.watchers.publish,
            concurrency=settings.concurrency,
        )
        self._stack.push_async_callback(self.engine.stop)
        smtp = SmtpPorts(self.engine, password=kept["password"])
        smtp_port, submission_port = await smtp.start(
            smtp_port=settings.smtp_port or _if_free(kept.get("smtp")),
            submission_port=settings.submission_port or _if_free(kept.get("submission")),
        )
        self._stack.push_async_callback(smtp.close)
        api_port = await self._serve_api(settings.api_port or _if_free(kept.get("api")))
        resumed = self.engine.resume()
        if resumed:
            _log.info("going on with %d flows", resumed)
        _keep_settings(
            self.state,
            {"password": kept["password"], "smtp": smtp_port, "submission": submission_port, "api": api_port},
        )
        self._ready = {
            "pid": os.getpid(),
            "aws_endpoint": endpoint,
            "api": f"http://127.0.0.1:{api_port}",
            "smtp": f"127.0.0.1:{smtp_port}",
            "submission": f"127.0.0.1:{submission_port}",
            "submission_user": SUBMISSION_USER,
            "submission_password": kept["password"],
            "messageflow": message_flow_url,
            "region": settings.region,
            "account": settings.account,
            "time_scale": settings.time_scale,
            "started_at": time.time(),
        }
        _write_private(self.state / READY_FILE, self._ready)
        self._stack.callback((self.state / READY_FILE).unlink, missing_ok=True)
        return self._ready

    async def stop(self) -> None:
        """Stop every part; what is unfinished goes on with the next start."""
        await self._stack.aclose()

    async def reload(self) -> int:
        """Take what is deployed now; return how many held flows go on.

        Raises:
            workmail_flow.rule_problems.RuleError: The deployed rules conflict; the deployment before it stays.
        """
        await self._load()
        self.watchers.publish({"type": "deployed", "stacks": self.deployed.stacks})
        return self.engine.resume()

    async def reset(self) -> None:
        """Forget every message and empty the mailboxes and the spool; what is deployed stays."""
        await self.engine.stop()
        await self.store.reset()
        for folder in ("mailboxes", "outbound"):
            await asyncio.to_thread(shutil.rmtree, self.state / folder, ignore_errors=True)
        self.mailboxes.forget()
        self.watchers.publish({"type": "reset"})

    def status(self) -> dict[str, Any]:
        """Return where everything listens, what is deployed and how much mail there is."""
        shown = {name: value for name, value in self._ready.items() if name != "submission_password"}
        return shown | {
            "stacks": list(self.deployed.stacks),
            "organizations": [
                {
                    "organizationId": organization.organization_id,
                    "domains": sorted(organization.domains),
                    "rules": len(organization.rules),
                }
                for organization in self.deployed.organizations.values()
            ],
            "inFlight": self.engine.in_flight(),
            "counts": self.store.counts(),
            "faults": len(self.faults.to_json()),
        }

    async def _load(self) -> None:
        region, account = self.settings.region, self.settings.account

        def load() -> tuple[Deployed, tuple[HandlerFolder, ...]]:
            folders = HandlerFolder.load_all(self.state)
            work = self.state / "functions"
            deployments = [*load_deployments(self.state)]
            for folder in folders:
                layer = handler_layer(folder.folder, runtime=folder.runtime, work=work)
                deployments.append(folder.deployment(region=region, account=account, layers=(layer,)))
            return Deployed.of(deployments, region=region, account=account), folders

        deployed, folders = await asyncio.to_thread(load)
        for folder in folders:
            # What a stack would have made of them.
            await self._objects.make_bucket(folder.bucket)
            await self._destinations.make_queue(folder.on_failure_arn(region=region, account=account))
        self.deployed = deployed

    async def _aws(self) -> str:
        settings = self.settings
        if settings.aws_endpoint is not None:
            return settings.aws_endpoint
        endpoint = await asyncio.to_thread(
            AwsEndpoint.start, self.state, region=settings.region, account=settings.account
        )
        self._stack.callback(endpoint.stop)
        return endpoint.url

    async def _serve_api(self, port: int) -> int:
        runner = web.AppRunner(
            LocalApi(self).application(), access_log=None, shutdown_timeout=0.5, max_line_size=_LONGEST_REQUEST_LINE
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        bound: int = runner.addresses[0][1]
        return bound


async def serve(state: Path, settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        AlreadyRunningError: Another one has this state folder.
        CannotStartError: What it needs of this machine is not there.
    """
    workmail = LocalWorkMail(state, settings)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        try:
            await workmail.start()
        except (OSError, sqlite3.Error) as error:
            raise CannotStartError(f"the local WorkMail cannot start: {error}") from error
        await stopped.wait()
    finally:
        await workmail.stop()


def _lock(state: Path) -> IO[str]:
    """Hold the state folder; the kernel lets go when this process ends, however it ends."""
    lock = (state / "daemon.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise AlreadyRunningError(f"another local WorkMail has the state folder {state}") from None
    return lock


def _kept_settings(state: Path) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    with suppress(FileNotFoundError, ValueError):
        kept = json.loads((state / SETTINGS_FILE).read_text())
    return {"password": secrets.token_urlsafe(12)} | kept


def _keep_settings(state: Path, settings: dict[str, Any]) -> None:
    _write_private(state / SETTINGS_FILE, settings)


def _write_private(path: Path, content: dict[str, Any]) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    unfinished.replace(path)


def _if_free(port: int | None) -> int:
    """Return the port of the last run if nobody has taken it since, else 0 for any free one."""
    if not port:
        return 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
