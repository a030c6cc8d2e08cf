"""An engine of rules that run no function, with the CloudWatch Logs that it writes to."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from workmail_local.clock import Clock
from workmail_local.email_flow.engine import Engine
from workmail_local.email_flow.event_log import EventLog
from workmail_local.email_monitoring import EmailMonitoring
from workmail_local.faults import FaultPlan
from workmail_local.mail.post_office import PostOffice
from workmail_local.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from workmail_local.deployed import Deployed


@dataclass(slots=True)
class FakeLogs:
    """Stands in for the loopback AWS; keeps what is put.

    Attributes:
        calls: Each operation with its body.
        streams: Log streams that there are.
        failure: What every call is answered with; None for success.
    """

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    streams: set[str] = field(default_factory=set)
    failure: str | None = None

    async def json(self, service: str, target: str, *, region: str, account: str, body: dict[str, Any]) -> str | None:
        """Answer a call as CloudWatch Logs would."""
        assert (service, region, account) == ("logs", "us-east-1", "123456789012")
        operation = target.rpartition(".")[2]
        self.calls.append((operation, body))
        if operation == "CreateLogStream":
            self.streams.add(body["logStreamName"])
        elif body["logStreamName"] not in self.streams and self.failure is None:
            return "ResourceNotFoundException: logs answered 400"
        return self.failure

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Every entry that was put and taken, decoded."""
        taken = (body for operation, body in self.calls if operation == "PutLogEvents")
        return [json.loads(event["message"]) for body in list(taken)[1:] for event in body["logEvents"]]


@dataclass(frozen=True, slots=True)
class EngineWithoutFunctions:
    """The engine and what it works with."""

    engine: Engine
    store: Store
    faults: FaultPlan
    logs: FakeLogs


@asynccontextmanager
async def engine_without_functions(
    state: Path, deployed: Deployed, *, logs: FakeLogs | None = None
) -> AsyncIterator[EngineWithoutFunctions]:
    """Run an engine while the context is open."""
    store, faults, logs = Store(state, Clock()), FaultPlan(state / "faults.json"), logs or FakeLogs()
    event_log = EventLog(
        cast("Any", logs),
        monitoring=EmailMonitoring(state),
        deployed=lambda: deployed,
        content_of=lambda flow_id: store.content_path(flow_id, original=True),
        clock=Clock(),
    )
    engine = Engine(
        store=store,
        post_office=PostOffice(state, is_local=deployed.declares),
        invoker=cast("Any", None),
        destinations=cast("Any", None),
        faults=faults,
        event_log=event_log,
        deployed=lambda: deployed,
        clock=Clock(),
        publish=lambda event: None,
    )
    try:
        yield EngineWithoutFunctions(engine, store, faults, logs)
    finally:
        await event_log.close()
        await store.close()
