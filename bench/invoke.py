"""What running a function through our host costs, beside the runtime client's own work on the same invocation."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench._measure import Measure
from workmail_local.functions import FunctionHost, FunctionSpec

_ROUNDS = 5
_INVOCATIONS = 2_000
_EVENT = b'{"summaryVersion": "2019-07-28", "subject": "Hello", "messageId": "0", "flowDirection": "INBOUND"}'
_HANDLER = "import time\ndef handler(event, context): return time.process_time()\n"


def run() -> list[Measure]:
    """Invoke a warm function many times; compare the CPU of this process with that of the function's."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(_HANDLER)
        return asyncio.run(_measured(Path(folder)))


async def _measured(folder: Path) -> list[Measure]:
    spec = FunctionSpec(
        name="trivial",
        arn="arn:aws:lambda:us-east-1:123456789012:function:trivial",
        runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        handler="app.handler",
        code=folder,
    )
    async with FunctionHost(work=folder / "work", endpoints={}) as host:
        rounds = [await _round(host, spec) for _ in range(_ROUNDS + 1)][1:]
    # The least disturbed round: noise on a shared machine only ever adds.
    ours = min(cpu for cpu, _, _ in rounds)
    theirs = min(cpu for _, cpu, _ in rounds)
    wall = min(wall for _, _, wall in rounds)
    note = f"the function's own process, AWS's client and a trivial handler; {1 / wall:,.0f} invocations a second"
    return [Measure("host, one warm invocation", ours * 1e6, theirs * 1e6, "µs CPU", 1.0, note)]


async def _round(host: FunctionHost, spec: FunctionSpec) -> tuple[float, float, float]:
    """Return the CPU of this process, the CPU of the function's and the time that passed, seconds an invocation."""
    before = await _function_cpu(host, spec)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(_INVOCATIONS):
        await host.invoke(spec, _EVENT)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    function = await _function_cpu(host, spec) - before
    return cpu / _INVOCATIONS, function / _INVOCATIONS, wall / _INVOCATIONS


async def _function_cpu(host: FunctionHost, spec: FunctionSpec) -> float:
    return float((await host.invoke(spec, _EVENT)).payload or b"nan")
