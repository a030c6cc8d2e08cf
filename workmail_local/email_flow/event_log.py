"""Writes WorkMail's event log to the loopback CloudWatch Logs, for organizations that have it turned on (W2)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.assumptions import LOGS_RULE_BOUNCES
from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_local.email_flow import email_events
from workmail_local.iam.questions import may_role
from workmail_local.message_head import MAX_HEAD_BYTES
from workmail_local.state_file import StateFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from workmail_flow.email_events import EmailEvent
    from workmail_local.clock import Clock
    from workmail_local.deployed import Deployed
    from workmail_local.email_flow.loopback_aws import LoopbackAws
    from workmail_local.email_monitoring import EmailMonitoring, MonitoringConfiguration
    from workmail_local.records import Flow, Message, RecipientOutcome

_log = logging.getLogger(__name__)

_WRITE_ACTIONS: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
_MAX_WAITING: Final = 10_000
_MAX_BATCH: Final = 1000
_MAX_BATCH_BYTES: Final = 1024 * 1024
"""Of one PutLogEvents, each event with 26 bytes more than its text."""

_MAX_EVENT_BYTES: Final = 256 * 1024
_FLUSH_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Entry:
    configuration: MonitoringConfiguration
    at_ms: int
    text: str

    @property
    def size(self) -> int:
        return len(self.text.encode()) + 26


class EventLog:
    """WorkMail's event log. Mail never waits for it, and a kill of this process may lose entries.

    Args:
        aws: The loopback AWS.
        monitoring: Which organizations have it turned on.
        deployed: Returns what is deployed now.
        content_of: Returns the file of a flow's message as it came in.
        clock: Gives the entries' times.
    """

    def __init__(
        self,
        aws: LoopbackAws,
        *,
        monitoring: EmailMonitoring,
        deployed: Callable[[], Deployed],
        content_of: Callable[[str], Path],
        clock: Clock,
    ) -> None:
        self._aws = aws
        self._monitoring = monitoring
        self._deployed = deployed
        self._content_of = content_of
        self._clock = clock
        self._waiting: deque[_Entry] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._warned: set[str] = set()

    def accepted(self, message: Message, content: bytes, flows: Iterable[Flow]) -> None:
        """Log that a message was accepted; organizations each see their own recipients."""
        of_organization: dict[str, list[Flow]] = {}
        for flow in flows:
            of_organization.setdefault(flow.organization_id, []).append(flow)
        for organization_id, own in of_organization.items():
            if (configuration := self._configuration(organization_id)) is not None:
                recipients = [recipient for flow in own for recipient in flow.recipients]
                event = email_events.accepted(message, content, recipients, spam=own[0].spam)
                self._write(configuration, [event])

    def decided(self, flow: Flow, outcomes: Sequence[RecipientOutcome], delivered: Sequence[RecipientOutcome]) -> None:
        """Log what a rule did.

        Args:
            flow: The flow.
            outcomes: What was decided.
            delivered: The same after faults, for example of a mailbox that is full.
        """
        if (configuration := self._configuration(flow.organization_id)) is not None:
            applied = email_events.rule_applied(flow, outcomes)
            failed = [
                email_events.bounced(flow, new)
                for old, new in zip(outcomes, delivered, strict=True)
                if old != new or (LOGS_RULE_BOUNCES and new.action == RuleAction.BOUNCE)
            ]
            self._write(configuration, [*([applied] if applied else []), *failed])

    def delivered(self, flow: Flow, outcomes: Sequence[RecipientOutcome], places: Sequence[str | None]) -> None:
        """Log where a flow's message went."""
        if (configuration := self._configuration(flow.organization_id)) is None:
            return
        head = b""
        if flow.message.direction is FlowDirection.OUTBOUND:
            # Without it the entry has no Message-ID; a reset may have removed it.
            with suppress(OSError), self._content_of(flow.id).open("rb") as file:
                head = file.read(MAX_HEAD_BYTES)
        placed = [replace(outcome, place=place) for outcome, place in zip(outcomes, places, strict=True)]
        self._write(configuration, email_events.delivered(flow, placed, head))

    async def flush(self) -> None:
        """Wait until everything is written, for five seconds at most."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_FLUSH_S)

    async def close(self) -> None:
        """Write what waits, and end."""
        await self.flush()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def _configuration(self, organization_id: str) -> MonitoringConfiguration | None:
        organization = self._deployed().organizations.get(organization_id)
        if organization is None:
            return None
        try:
            return self._monitoring.find(organization_id, account=organization.account, region=organization.region)
        except StateFileError as error:
            self._warn(str(error))
            return None

    def _write(self, configuration: MonitoringConfiguration, events: Iterable[EmailEvent]) -> None:
        at_ms = int(self._clock.now() * 1000)
        for event in events:
            entry = _Entry(configuration, at_ms, event.to_text())
            if len(self._waiting) >= _MAX_WAITING or entry.size > _MAX_EVENT_BYTES:
                self._warn("entries are left out: one is too large, or the loopback CloudWatch Logs is too slow")
                continue
            self._waiting.append(entry)
        if self._waiting and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_all(), name="event log")

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft()]
            size = batch[0].size
            while (
                self._waiting
                and len(batch) < _MAX_BATCH
                and self._waiting[0].configuration == batch[0].configuration
                and size + self._waiting[0].size <= _MAX_BATCH_BYTES
            ):
                batch.append(self._waiting.popleft())
                size += batch[-1].size
            prevented = await self._put(batch)
            if prevented is not None:
                self._warn(f"{batch[0].configuration.log_group_arn}: {prevented}")

    async def _put(self, batch: Sequence[_Entry]) -> str | None:
        """Write entries of one configuration; return what prevented it, or None."""
        configuration = batch[0].configuration
        group_arn = configuration.log_group_arn.removesuffix(":*")
        *_, region, account, _, group = group_arn.split(":")
        stream = datetime.fromtimestamp(batch[0].at_ms / 1000, tz=UTC).strftime("%Y/%m/%d")
        if configuration.role_arn is not None:
            for action in _WRITE_ACTIONS:
                access = may_role(
                    self._deployed().role_policies,
                    role_arn=configuration.role_arn,
                    action=action,
                    resource=f"{group_arn}:log-stream:{stream}",
                    region=region,
                )
                if not access.allowed:
                    return f"{configuration.role_arn} may not {action}: {access.reason}"

        async def call(operation: str, **body: Any) -> str | None:
            target = f"Logs_20140328.{operation}"
            named = {"logGroupName": group, "logStreamName": stream, **body}
            return await self._aws.json("logs", target, region=region, account=account, body=named)

        entries = [{"timestamp": entry.at_ms, "message": entry.text} for entry in batch]
        prevented = await call("PutLogEvents", logEvents=entries)
        if prevented is not None and prevented.startswith("ResourceNotFoundException"):
            prevented = await call("CreateLogStream") or await call("PutLogEvents", logEvents=entries)
        return prevented

    def _warn(self, reason: str) -> None:
        """Say once why the event log is not whole."""
        if reason not in self._warned:
            self._warned.add(reason)
            _log.warning("email events are not logged: %s", reason)
