"""The local WorkMail as one process: SMTP, message flow service, API and engine, with the AWS endpoint as its child."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import secrets
import signal
import socket
import sqlite3
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web

from workmail_flow.rule_problems import RuleError
from workmail_flow.template import TemplateError
from workmail_local.aws.server import AwsEndpoint
from workmail_local.clock import Clock
from workmail_local.email_flow.destinations import Destinations
from workmail_local.email_flow.engine import Engine
from workmail_local.email_flow.event_log import EventLog
from workmail_local.email_flow.function_metrics import FunctionMetrics
from workmail_local.email_flow.invoker import Invoker
from workmail_local.email_flow.loopback_aws import LoopbackAws
from workmail_local.email_monitoring import EmailMonitoring
from workmail_local.faults import FaultPlan
from workmail_local.functions import FunctionHost
from workmail_local.mail.post_office import PostOffice
from workmail_local.message_flow.content_permissions import ContentPermissions
from workmail_local.message_flow.service import MessageFlowService, S3Objects
from workmail_local.private_folder import make_private_folder, narrow
from workmail_local.server.api import Api
from workmail_local.server.deployments import Deployments
from workmail_local.server.reports import Reports
from workmail_local.server.smtp_ports import SUBMISSION_USER, SmtpPorts
from workmail_local.server.watchers import Watchers
from workmail_local.state_file import READY_FILE, StateFileError, read_state_file
from workmail_local.store.store import Store
from workmail_local.whole_file import remove_unfinished, write_whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_local.access_keys import AccessKeys

_log = logging.getLogger(__name__)

_SETTINGS_FILE = "settings.json"
"""What stays the same over restarts: ports and the submission password."""

_LONGEST_REQUEST_LINE = 512 * 1024
"""Bytes. 500 recipients with the longest addresses fit (F16, RFC 5321 section 4.5.3.1.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the local WorkMail runs.

    Args:
        region: Region of the organizations, one of WorkMail's (L1).
        account: Account of everything deployed here.
        keys: The access keys that the AWS endpoint and the message flow service take.
        time_scale: Seconds of WorkMail's waiting per real second.
        smtp_port: Port for inbound mail. 0 means the port of the last run if it is free, else any free port; the same
            goes for the next two.
        submission_port: Port for authenticated, outbound mail.
        api_port: Port of the HTTP API.
        concurrency: Functions that run at a time.
        aws_endpoint: A running AWS endpoint on loopback; None starts one that ends with this process.
    """

    region: str
    account: str
    keys: AccessKeys
    time_scale: float = 1.0
    smtp_port: int = 0
    submission_port: int = 0
    api_port: int = 0
    concurrency: int = 8
    aws_endpoint: str | None = None


class AlreadyRunningError(Exception):
    """Another local WorkMail runs with this state folder."""


class CannotStartError(Exception):
    """The local WorkMail cannot start, for example because a port is taken; the text says why."""


async def serve(state: Path, settings: Settings) -> None:
    """Run the local WorkMail until SIGTERM or SIGINT; the next run continues what is unfinished then.

    Raises:
        AlreadyRunningError: Another one runs with this state folder.
        CannotStartError: A port is taken, or the state folder cannot be read or written, or is not ours alone.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        try:
            await _start(stack, state.absolute(), settings)
        except (OSError, sqlite3.Error, StateFileError, RuleError, TemplateError) as error:
            raise CannotStartError(f"the local WorkMail cannot start: {error}") from error
        await stopped.wait()


async def _start(stack: AsyncExitStack, state: Path, settings: Settings) -> None:
    """Start every part and write `daemon.json`; closing the stack stops them in reverse order."""
    make_private_folder(state)
    write_whole_file(state / ".gitignore", b"*\n")  # it is in the folder of the user's app, as a rule
    _lock(stack, state)
    narrow(state)
    for folder in (state, state / "content", state / "outbound"):
        remove_unfinished(folder)
    kept = _kept_settings(state)
    smtp = _listen(stack, settings.smtp_port, kept.get("smtp"))
    submission = _listen(stack, settings.submission_port, kept.get("submission"))
    api = _listen(stack, settings.api_port, kept.get("api"))
    # Takes longest, so the rest starts beside it.
    aws = asyncio.create_task(_aws(stack, state, settings, port=kept.get("aws", 0)))
    clock = Clock(settings.time_scale)
    faults = FaultPlan(state / "faults.json")
    store = Store(state, clock)
    stack.push_async_callback(store.close)
    endpoint = await aws

    keys = settings.keys
    objects = S3Objects(endpoint, region=settings.region, keys=keys)
    stack.push_async_callback(objects.close)
    aws_calls = LoopbackAws(endpoint, keys)
    stack.push_async_callback(aws_calls.close)
    destinations = Destinations(aws_calls)
    deployments = Deployments(
        state, region=settings.region, account=settings.account, objects=objects, destinations=destinations
    )
    await deployments.load()

    metrics = FunctionMetrics(aws_calls)
    stack.push_async_callback(metrics.close)

    permissions = ContentPermissions(
        keys=keys, deployed=lambda: deployments.now, faults=faults, rule_of=store.rule_name
    )
    message_flow = MessageFlowService(
        store, objects=objects, keys=keys, admit=permissions.admit, check_put=permissions.check_put
    )
    message_flow_url = await message_flow.start()
    stack.push_async_callback(message_flow.close)

    host = FunctionHost(
        work=state / "functions",
        endpoints={"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": message_flow_url},
        keys=keys,
        max_concurrency=settings.concurrency,
    )
    await stack.enter_async_context(host)
    invoker = Invoker(host, deployed=lambda: deployments.now, faults=faults, clock=clock, metrics=metrics)
    post_office = PostOffice(state, is_local=lambda address: deployments.now.declares(address))
    watchers = Watchers()
    event_log = EventLog(
        aws_calls,
        monitoring=EmailMonitoring(state),
        deployed=lambda: deployments.now,
        content_of=lambda flow_id: store.content_path(flow_id, original=True),
        clock=clock,
    )
    stack.push_async_callback(event_log.close)
    engine = Engine(
        store=store,
        post_office=post_office,
        invoker=invoker,
        destinations=destinations,
        faults=faults,
        event_log=event_log,
        deployed=lambda: deployments.now,
        clock=clock,
        publish=watchers.publish,
        concurrency=settings.concurrency,
    )
    stack.push_async_callback(engine.stop)

    ready: dict[str, Any] = {
        "pid": os.getpid(),
        "aws_endpoint": endpoint,
        "aws_access_key_id": keys.developer,
        "api": f"http://127.0.0.1:{_port(api)}",
        "token": secrets.token_urlsafe(24),
        "smtp": f"127.0.0.1:{_port(smtp)}",
        "submission": f"127.0.0.1:{_port(submission)}",
        "submission_user": SUBMISSION_USER,
        "submission_password": kept["password"],
        "messageflow": message_flow_url,
        "region": settings.region,
        "account": settings.account,
        "time_scale": settings.time_scale,
        "started_at": time.time(),
    }
    ports = SmtpPorts(engine, password=kept["password"])
    await ports.start(smtp=smtp, submission=submission)
    stack.push_async_callback(ports.close)
    served = Api(
        state=state,
        ready=ready,
        keys=keys,
        store=store,
        engine=engine,
        reports=Reports(store, invoker.event),
        mailboxes=post_office.mailboxes,
        spool=post_office.spool,
        faults=faults,
        deployments=deployments,
        watchers=watchers,
    )
    runner = web.AppRunner(
        served.application(), access_log=None, shutdown_timeout=0.5, max_line_size=_LONGEST_REQUEST_LINE
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, api).start()

    if resumed := engine.resume():
        _log.info("continuing %d flows", resumed)
    kept |= {"smtp": _port(smtp), "submission": _port(submission), "api": _port(api)}
    if settings.aws_endpoint is None:
        kept["aws"] = urlsplit(endpoint).port
    _write_json(state / _SETTINGS_FILE, kept)
    _write_json(state / READY_FILE, ready)
    stack.callback((state / READY_FILE).unlink, missing_ok=True)


def _lock(stack: AsyncExitStack, state: Path) -> None:
    """Hold the state folder; the kernel releases it when this process ends, however it ends."""
    lock = stack.enter_context((state / "daemon.lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise AlreadyRunningError(f"another local WorkMail runs with the state folder {state}") from None


async def _aws(stack: AsyncExitStack, state: Path, settings: Settings, *, port: int) -> str:
    if settings.aws_endpoint is not None:
        return settings.aws_endpoint
    endpoint = await asyncio.to_thread(
        AwsEndpoint.start, state, region=settings.region, account=settings.account, keys=settings.keys, port=port
    )
    stack.callback(endpoint.stop)
    return endpoint.url


def _listen(stack: AsyncExitStack, port: int, last: int | None) -> socket.socket:
    """Listen on 127.0.0.1: on the given port, else on that of the last run if it is free, else on any."""
    listener: socket.socket | None = None
    if not port and last:
        with suppress(OSError):
            listener = socket.create_server(("127.0.0.1", last))
    return stack.enter_context(listener or socket.create_server(("127.0.0.1", port)))


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def _kept_settings(state: Path) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        remedy = "delete it to get a new password and any free ports"
        kept = read_state_file(state / _SETTINGS_FILE, _settings, remedy=remedy)
    return {"password": secrets.token_urlsafe(12)} | kept


def _settings(raw: dict[str, Any]) -> dict[str, Any]:
    for name in ("smtp", "submission", "api", "aws"):
        if not isinstance(raw.get(name, 0), int) or not 0 <= raw.get(name, 0) <= 65535:
            raise ValueError(f"{name} is {raw[name]!r}, not a port")
    if not isinstance(raw.get("password", ""), str):
        raise TypeError("password is not text")
    return raw


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole_file(path, json.dumps(content, indent=2).encode())
