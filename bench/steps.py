"""Steps as they are deployed, beside the same jobs written by hand as WorkMail's guide shows (`_by_hand`).

Both sides run under AWS's runtime client with byte code, and call the same loopback services. Each number is the least
of some runs, which take turns: noise only ever adds.
"""

from __future__ import annotations

import asyncio
import compileall
import importlib.util
import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench._measure import Measure
from bench._services import Services
from bench._usual_message import usual_message
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE
from workmail_local.functions import FunctionHost, FunctionSpec
from workmail_local.trial.synthesized_rule import find_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

COLD_GOAL, WARM_GOAL, CALLS_GOAL = 0.35, 0.6, 1.0
TOGETHER_GOAL = 1.3
MEMORY_GOAL = 1.2
ROUNDS, WARM_INVOCATIONS = 7, 20
SMALL, LARGE = 50_000, 25_000_000
TOGETHER = ("SaveMessage", "BlockAttachments", "SubjectPrefix", "Banner", "LimitRate")

TOGETHER_NAME = "five steps"
BY_HAND = "by hand: boto3 clients, email package"
BY_HAND_FOLDER = Path(__file__).parent / "_by_hand"

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
VARIABLES = {
    MESSAGE_BUCKET_VARIABLE: "updates",
    "ARCHIVE": "archive",
    "TABLE": "table",
    "BUS": "bus",
    "ORGANIZATION": ORGANIZATION_ID,
}
EVENT = {
    "summaryVersion": "2019-07-28",
    "envelope": {
        "mailFrom": {"address": "ann@other.example"},
        "recipients": [{"address": "all@example.com"}, {"address": "bob@example.com"}],
    },
    "sender": {"address": "ann@other.example"},
    "subject": "Re: figures",
    "messageId": "00000000-0000-0000-0000-000000000000",
    "flowDirection": "INBOUND",
    "truncated": False,
}

# Runs a handler, and answers with what the process has used.
_METER = """
import importlib, os, time

module, _, name = os.environ["MEASURED_HANDLER"].rpartition(".")
measured = getattr(importlib.import_module(module), name)

def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024

def handler(event, context):
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    start = time.process_time()
    reply = measured(event, context)
    end = time.process_time()
    return {"reply": reply, "cpu": end - start, "process": end, "memory": memory("VmHWM")}
"""
_NOTHING = """
def handler(event, context):
    return None
"""
_CALLS = """
import json, os, time
from workmail_rules.aws_call import call
from workmail_runtime.put_object import put_object

CONTENT = os.urandom(50_000)

def handler(event, context):
    deadline = time.monotonic() + 10
    key, body = event["invocationId"], json.dumps(event).encode()
    put_object("archive", key, (CONTENT,), content_type="message/rfc822", only_new=True, deadline=deadline)
    put_object("archive", key, (body,), content_type="application/json", only_new=True, deadline=deadline)
    call("DynamoDB", "UpdateItem", {"TableName": "table", "Key": {"id": {"S": key}}}, deadline=deadline)
"""


def run() -> list[Measure]:
    """Measure each step that has a job by hand, five of them together, and their memory on a large message."""
    with tempfile.TemporaryDirectory() as folder, Services().running() as services:
        return asyncio.run(_measured(Path(folder), services))


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one invocation costs.

    Args:
        cold: Milliseconds of CPU from the start of the process to the first answer.
        warm: Milliseconds of CPU in the handler.
        calls: Calls to AWS for the first message of a process.
    """

    cold: float
    warm: float
    calls: int


class _Bench:
    """Runs handlers, each under the name that `_functions` gives it."""

    def __init__(self, host: FunctionHost, services: Services, functions: Mapping[str, FunctionSpec]) -> None:
        self._host = host
        self._services = services
        self._functions = functions
        self._count = 0

    async def costs(self, *names: str) -> list[_Cost]:
        """Measure handlers side by side."""
        cold: dict[str, list[float]] = {name: [] for name in names}
        warm: dict[str, list[float]] = {name: [] for name in names}
        calls = {}
        for _ in range(ROUNDS):
            for name in names:
                before = self._services.calls
                cold[name].append(await self._cold_ms(name))
                calls[name] = self._services.calls - before
        for _ in range(ROUNDS):
            for name in names:
                for _ in range(WARM_INVOCATIONS):
                    warm[name].append(1000 * (await self._invoke(self._functions[name]))["cpu"])
        return [_Cost(min(cold[name]), min(warm[name]), calls[name]) for name in names]

    async def memory_mib(self, name: str) -> float:
        """Return the most memory that a warm process has at a time, over some invocations."""
        return max([(await self._invoke(self._functions[name]))["memory"] for _ in range(4)])

    async def _cold_ms(self, name: str) -> float:
        function = self._functions[name]
        self._count += 1
        return 1000 * (await self._invoke(replace(function, arn=f"{function.arn}-{self._count}")))["process"]

    async def _invoke(self, function: FunctionSpec) -> dict[str, float]:
        self._count += 1
        event = {**EVENT, "invocationId": f"{self._count:032x}"}
        done = await self._host.invoke(function, json.dumps(event).encode())
        assert done.payload is not None, f"{function.name}: {done.error_message}\n{done.log}"
        return json.loads(done.payload)


async def _measured(folder: Path, services: Services) -> list[Measure]:
    alone, functions = _functions(folder)
    async with FunctionHost(work=folder / "work", endpoints={"AWS_ENDPOINT_URL": services.url}) as host:
        bench = _Bench(host, services, functions)
        services.content = usual_message(SMALL)
        (nothing,) = await bench.costs("nothing")
        costs, measures = {}, []
        for name in alone:
            ours, by_hand = await bench.costs(name, f"{name} by hand")
            costs[name] = ours
            measures += [
                Measure(
                    f"{name}, cold", ours.cold - nothing.cold, by_hand.cold - nothing.cold, "ms CPU", COLD_GOAL, BY_HAND
                ),
                Measure(f"{name}, warm", ours.warm, by_hand.warm, "ms CPU", WARM_GOAL, BY_HAND),
                Measure(f"{name}, first message", ours.calls, by_hand.calls, "AWS calls", CALLS_GOAL, BY_HAND),
            ]
        dearest_name = max(TOGETHER, key=lambda name: costs[name].warm)
        together, dearest, calls = await bench.costs(TOGETHER_NAME, dearest_name, "calls")
        assert together.calls == dearest.calls + calls.calls, "the calls of SaveMessage and LimitRate"
        note = f"{dearest_name} alone, the dearest, and the {calls.calls} calls of the others, {calls.warm:.2f} ms"
        measures.append(
            Measure("five steps, warm", together.warm, dearest.warm + calls.warm, "ms CPU", TOGETHER_GOAL, note)
        )
        for name in (*TOGETHER, TOGETHER_NAME):
            services.content = usual_message(SMALL)
            before = await bench.memory_mib(name)
            services.content = usual_message(LARGE)
            used = await bench.memory_mib(name) - before
            note = "the message's own size"
            measures.append(Measure(f"{name}, 25 MB", used, LARGE / 1024**2, "MiB", MEMORY_GOAL, note))
    return measures


def _functions(folder: Path) -> tuple[list[str], dict[str, FunctionSpec]]:
    """Return the steps that have a job by hand, and all functions by name."""
    from aws_cdk import App, Stack
    from aws_cdk.aws_events import EventBus
    from aws_cdk.aws_s3 import Bucket

    from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
    from workmail_constructs.steps.banner import Banner
    from workmail_constructs.steps.block_attachments import BlockAttachments
    from workmail_constructs.steps.decision import Bounce
    from workmail_constructs.steps.filter_by_header import FilterByHeader
    from workmail_constructs.steps.limit_rate import LimitRate
    from workmail_constructs.steps.publish_event import PublishEvent
    from workmail_constructs.steps.restrict_mailboxes import RestrictMailboxes
    from workmail_constructs.steps.save_message import SaveMessage
    from workmail_constructs.steps.subject_prefix import SubjectPrefix

    app = App(outdir=str(folder / "cdk.out"))
    stack = Stack(app, "Steps")
    organization = WorkMailOrganization.from_organization_id(
        stack, "Organization", ORGANIZATION_ID, domains=["example.com"]
    )
    bounce = Bounce("Too many messages.")
    steps = {
        "SaveMessage": SaveMessage(Bucket(stack, "Archive")),
        "BlockAttachments": BlockAttachments(extensions=[".exe", ".js", ".vbs"], then=bounce),
        "SubjectPrefix": SubjectPrefix("[EXTERNAL]"),
        "Banner": Banner("This message comes from outside."),
        "LimitRate": LimitRate(addresses=["all@example.com"], per_minute=1000, then=bounce),
        "FilterByHeader": FilterByHeader("X-Gateway-Verdict", "spam"),
        "PublishEvent": PublishEvent(EventBus(stack, "Bus")),
        "RestrictMailboxes": RestrictMailboxes("interns@example.com"),
    }
    rules = {**{name: [step] for name, step in steps.items()}, TOGETHER_NAME: [steps[name] for name in TOGETHER]}
    for name, its_steps in rules.items():
        RunLambdaRule(
            stack,
            name.replace(" ", ""),
            organization=organization,
            direction=FlowDirection.INBOUND,
            run=Run.synchronous(fallback=FallbackAction.BOUNCE),
            steps=its_steps,
            name=name,
        )
    app.synth()
    functions = {}
    for name in rules:
        rule = find_rule(folder / "cdk.out", name, environment=VARIABLES)
        code = shutil.copytree(rule.folder, folder / name)
        functions[name] = _function(name, code, rule.handler, rule.environment)
    code = folder / TOGETHER_NAME
    for name, source in (("nothing", _NOTHING), ("calls", _CALLS)):
        (code / f"{name}.py").write_text(source)
        functions[name] = _function(name, code, f"{name}.handler", {})
    code = shutil.copytree(BY_HAND_FOLDER, folder / "by hand")
    shutil.copytree(_installed("puremagic"), code / "puremagic")
    for name in steps:
        module = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        functions[f"{name} by hand"] = _function(f"{name} by hand", code, f"{module}.handler", VARIABLES)
    for code in folder.iterdir():
        (code / "meter.py").write_text(_METER)
        compileall.compile_dir(code, quiet=2)
    return list(steps), functions


def _function(name: str, code: Path, handler: str, environment: Mapping[str, str]) -> FunctionSpec:
    return FunctionSpec(
        name=name,
        arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
        runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        handler="meter.handler",
        code=code,
        environment={**environment, "MEASURED_HANDLER": handler},
        memory_mb=1024,
        timeout_s=60,
    )


def _installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
