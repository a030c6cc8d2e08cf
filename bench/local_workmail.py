"""The local WorkMail: messages a second, its own cost a message, start-up, memory, and what kills leave behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench._kill_run import kill_run
from bench._measure import Measure
from workmail_local.access_keys import AccessKeys
from workmail_local.aws.server import DEFAULT_ACCOUNT, AwsEndpoint
from workmail_local.functions import FunctionHost, FunctionSpec
from workmail_local.handler_folder import HandlerFolder
from workmail_local.server.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MESSAGES = 800
IN_FLIGHT = 1000
KILLED_MESSAGES = 1000
KILLS = 50
ALLOWED_START_S = 3.0
_SECRET = AccessKeys.random().secret

_HANDLERS = {
    "app.py": """
import time

def handler(event, context):
    if event["subject"] == "slow":
        time.sleep(3)
    return {"actions": [{"allRecipients": True, "action": {"type": "DEFAULT"}}]}
""",
    "reads.py": """
import boto3

workmail = boto3.client("workmailmessageflow")

def handler(event, context):
    workmail.get_raw_message_content(messageId=event["messageId"])["messageContent"].read()
    return {"actions": [{"allRecipients": True, "action": {"type": "DEFAULT"}}]}
""",
}
_CONTENT = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: %s\r\n\r\nhi\r\n"
_EVENT = (
    b'{"summaryVersion":"2019-07-28","envelope":{"mailFrom":{"address":"ann@other.test"},"recipients":'
    b'[{"address":"bob@example.com"}]},"subject":"x","messageId":"%s","invocationId":"b-1",'
    b'"flowDirection":"INBOUND","truncated":false}'
)


def run() -> list[Measure]:
    """Measure; takes some minutes, most of them for the kills."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        handler = work / "handler"
        handler.mkdir()
        for name, code in _HANDLERS.items():
            (handler / name).write_text(code)
        return [
            _start_up(work / "start"),
            *_throughput(work / "throughput", handler),
            *_memory(work / "memory", handler),
            *_kills(work / "kills"),
        ]


def _start_up(state: Path) -> Measure:
    beyond: list[float] = []
    alone: list[float] = []
    for number in range(3):
        started = time.perf_counter()
        AwsEndpoint.start(region="us-east-1").stop()
        alone.append(time.perf_counter() - started)
        started = time.perf_counter()
        daemon, _ = Daemon.start(state / str(number))
        beyond.append(time.perf_counter() - started)
        daemon.stop()
    ours = min(beyond) - min(alone)
    note = f"ready after {min(beyond):.2f} s, moto alone {min(alone):.2f} s; beside the 3 s allowed"
    return Measure("start-up beyond moto's", max(ours, 0.0), ALLOWED_START_S, "s", 1.0, note)


def _throughput(state: Path, handler: Path) -> list[Measure]:
    measures = []
    for module, does in (("app", "only answers"), ("reads", "reads the content with boto3")):
        HandlerFolder(name="rule", folder=handler, handler=f"{module}.handler").save(state / module)
        daemon, _ = Daemon.start(state / module, secret=_SECRET)
        try:
            for at_a_time in (1, 8):
                message, bare = asyncio.run(_side_by_side(daemon, handler, module, at_a_time))
                what = f"{at_a_time} at a time, function {does}"
                rate = f"{1000 / message.wall_ms:,.0f} messages/s; alternative: the bare invocation"
                measures.append(Measure(f"message, {what}", message.wall_ms, bare.wall_ms, "ms", None, rate))
                own_ms = max(message.wall_ms - bare.wall_ms, 0.0)
                note = "over the bare invocation, waiting for the disk and for SMTP's answers included"
                measures.append(Measure(f"own cost, {what}", own_ms, bare.wall_ms, "ms", 1.0, note))
                own_ms = max(message.cpu_ms - bare.cpu_ms, 0.0)
                note = "over the bare invocation, all processes of each side but the one that sends the mail"
                measures.append(Measure(f"own cost, {what}", own_ms, bare.cpu_ms, "ms CPU", 1.0, note))
        finally:
            daemon.stop()
    return measures


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one message or one bare invocation takes."""

    wall_ms: float
    cpu_ms: float


async def _side_by_side(daemon: Daemon, handler: Path, module: str, at_a_time: int) -> tuple[_Cost, _Cost]:
    """Return the cost of a message, over SMTP to its outcome, and of a bare invocation; the best of three."""
    spec = FunctionSpec(
        name="bare",
        arn=HandlerFolder(name="rule", folder=handler).function_arn(region="us-east-1", account=DEFAULT_ACCOUNT),
        runtime="python3.11",
        handler=f"{module}.handler",
        code=handler,
        memory_mb=256,
        timeout_s=14,
    )
    endpoints = {"AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": daemon.ready["messageflow"]}
    client = daemon.client
    known = client.send(_CONTENT % b"x", direction="inbound", mail_from="a@b.test", recipients=["bob@example.com"])
    event = _EVENT % known.encode()
    async with FunctionHost(work=daemon.state / "bare", endpoints=endpoints, keys=AccessKeys(_SECRET)) as host:

        async def invoke() -> None:
            await host.invoke(spec, event, wait_s=15)

        connections = [await _Connection.open(daemon.ready["smtp"]) for _ in range(at_a_time)]
        free = list(connections)

        async def send() -> None:
            connection = free.pop()
            await connection.send(_CONTENT % b"fast")
            free.append(connection)

        async def settled() -> None:
            await asyncio.to_thread(daemon.client.wait)

        # A bare invocation is this process, the function's and, for content, the daemon, which is its child.
        everything, daemon_only = os.getpid(), daemon.pid
        await _timed(invoke, 50, at_a_time, of=everything)
        await _timed(send, 50, at_a_time, of=daemon_only, after=settled)
        bare, message = [], []
        for _ in range(3):
            bare.append(await _timed(invoke, MESSAGES, at_a_time, of=everything))
            message.append(await _timed(send, MESSAGES, at_a_time, of=daemon_only, after=settled))
        for connection in connections:
            connection.close()
    return _best(message), _best(bare)


def _best(costs: list[_Cost]) -> _Cost:
    return _Cost(min(cost.wall_ms for cost in costs), min(cost.cpu_ms for cost in costs))


async def _timed(
    work: Callable[[], Awaitable[None]],
    times: int,
    at_a_time: int,
    *,
    of: int,
    after: Callable[[], Awaitable[None]] | None = None,
) -> _Cost:
    """Return what one takes: its time, and the CPU time of process `of` with all below it."""

    async def worker() -> None:
        for _ in range(times // at_a_time):
            await work()

    cpu_before, started = _cpu_s(of), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_a_time)))
    if after is not None:
        await after()
    wall_s, cpu_s = time.perf_counter() - started, _cpu_s(of) - cpu_before
    each_ms = 1000 / (times // at_a_time * at_a_time)
    return _Cost(wall_s * each_ms, cpu_s * each_ms)


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process and of all below it; what has ended meanwhile is not counted."""
    seconds = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # In nanoseconds: the ticks of /proc/PID/stat are longer than most of what is measured here.
        seconds += int((thread / "schedstat").read_text().split()[0]) / 1e9
        seconds += sum(_cpu_s(int(child)) for child in (thread / "children").read_text().split())
    return seconds


class _Connection:
    """An SMTP connection that stays open, without a client library's cost."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> _Connection:
        host, port = address.split(":")
        connection = cls(*await asyncio.open_connection(host, int(port)))
        await connection._answer(b"")
        await connection._answer(b"EHLO bench\r\n")
        return connection

    async def send(self, content: bytes) -> None:
        await self._answer(b"MAIL FROM:<ann@other.test>\r\n")
        await self._answer(b"RCPT TO:<bob@example.com>\r\n")
        await self._answer(b"DATA\r\n")
        answer = await self._answer(content + b".\r\n")
        assert answer.startswith(b"250"), answer

    def close(self) -> None:
        self._writer.close()

    async def _answer(self, command: bytes) -> bytes:
        self._writer.write(command)
        while (line := await self._reader.readline())[3:4] == b"-":
            pass
        return line


def _memory(state: Path, handler: Path) -> list[Measure]:
    HandlerFolder(name="rule", folder=handler, timeout_s=14).save(state)
    daemon, _ = Daemon.start(state)
    try:
        at_rest = _resident_mib(daemon.pid)
        asyncio.run(_fill(daemon))
        in_flight = daemon.client.get("/v1/status")["inFlight"]
        loaded = _resident_mib(daemon.pid)
        daemon.client.post("/v1/reset")
    finally:
        daemon.stop()
    return [
        Measure("memory at rest", at_rest, at_rest, "MiB", None, "the process of the local WorkMail, without moto's"),
        Measure("memory under load", loaded, at_rest, "MiB", None, f"{in_flight} messages in flight, beside at rest"),
    ]


async def _fill(daemon: Daemon) -> None:
    connections = [await _Connection.open(daemon.ready["smtp"]) for _ in range(8)]

    async def worker(connection: _Connection) -> None:
        for _ in range(IN_FLIGHT // 8):
            await connection.send(_CONTENT % b"slow")

    await asyncio.gather(*map(worker, connections))
    for connection in connections:
        connection.close()


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _kills(state: Path) -> list[Measure]:
    result = kill_run(state, messages=KILLED_MESSAGES, kills=KILLS, seed=1)
    note = f"{KILLED_MESSAGES} messages, {KILLS} kills at random points, {result.interrupted} invocations interrupted"
    return [
        Measure("messages lost", result.lost, 1, "messages", 0.0, note),
        Measure("messages doubled", result.doubled, 1, "messages", 0.0, note),
    ]
