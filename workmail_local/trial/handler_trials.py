"""Runs one handler folder on messages as WorkMail would, without a stack and without keeping any mail."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from workmail_flow.handler_requirements import PROJECT, REQUIREMENTS
from workmail_flow.judge_payload import decode_payload, judge_payload
from workmail_flow.judge_reply import Decision, Finding
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE
from workmail_flow.step_log import read_step_log
from workmail_flow.vocabulary import RuleAction
from workmail_local.access_keys import SECRET_ACCESS_KEY, AccessKeys
from workmail_local.aws.server import DEFAULT_ACCOUNT
from workmail_local.failure_hint import failure_hint
from workmail_local.functions import FunctionHost, FunctionSpec, InvocationOutcome
from workmail_local.functions.handler_layer import handler_layer
from workmail_local.handler_folder import DEFAULT_MEMORY_MB, DEFAULT_ORGANIZATION_ID
from workmail_local.invocation_event import build_event, encode_event
from workmail_local.mail.message_diff import diff_messages
from workmail_local.message_flow.service import MessageFlowService, S3Objects
from workmail_local.records import MessageInTransit
from workmail_local.trial.lazy_aws import LazyAws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from workmail_flow.vocabulary import FlowDirection
    from workmail_local.functions import Invocation
    from workmail_local.mail.envelope import Envelope

REGION: Final = "us-east-1"
UPDATES_BUCKET: Final = "workmail-flow-try"
"""The default of `MESSAGE_BUCKET_VARIABLE` in the handler's environment."""

_ASYNCHRONOUS_TIMEOUT_S: Final = 60.0
_REACH_NOBODY: Final = {RuleAction.DROP, RuleAction.BOUNCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedHandler:
    """The handler to try, and the rule to try it under.

    Attributes:
        folder: Holds the handler, and a `requirements.txt` or `pyproject.toml` if it needs other packages.
        handler: For example `app.handler`.
        include: Folders and modules that the handler imports from beside its folder.
        direction: The rule's direction.
        synchronous: Whether the mail waits for the reply and the reply decides (R10, T4).
        environment: The function's variables.
        packed: Whether the folder is packed for Lambda, with the runtime and its packages.
        tables: DynamoDB tables to make first, as `CreateTable` takes them.
    """

    folder: Path
    handler: str
    direction: FlowDirection
    include: tuple[Path, ...] = ()
    synchronous: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    packed: bool = False
    tables: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The result of one message.

    Attributes:
        event: The event the function got.
        reply: The decoded reply; None if there is none, or it is not JSON.
        decisions: One per recipient; empty if the invocation failed.
        errors: Why the reply is not valid (R8).
        findings: What the handler's author should fix in a valid reply or an accepted update.
        before: The message before the invocation.
        after: The message that goes on.
        updated: Whether the function changed the message that goes on.
        late_update: Whether an update was accepted but changes nothing, as the mail did not wait (C4).
    """

    event: dict[str, Any]
    invocation: Invocation
    reply: object
    decisions: tuple[Decision, ...]
    errors: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    before: bytes
    after: bytes
    updated: bool
    late_update: bool

    @property
    def ok(self) -> bool:
        """Whether the function answered in time and with a valid reply."""
        return self.invocation.outcome is InvocationOutcome.REPLIED and not self.errors

    @property
    def reaches_nobody(self) -> bool:
        """Whether every recipient's copy is dropped or bounced."""
        return bool(self.decisions) and {one.action for one in self.decisions} <= _REACH_NOBODY

    def to_json(self) -> dict[str, Any]:
        """Return the documented JSON form (docs/try.md)."""
        invocation = self.invocation
        error = {"type": invocation.error_type or "", "message": invocation.error_message or ""}
        return {
            "ok": self.ok,
            "event": self.event,
            "invocation": {
                "outcome": invocation.outcome.value,
                "error": None if invocation.outcome is InvocationOutcome.REPLIED else error,
                "durationMs": round(invocation.duration_s * 1000, 3),
                "initMs": None if invocation.init_s is None else round(invocation.init_s * 1000, 3),
                "requestId": invocation.request_id,
                "notes": list(invocation.notes),
            },
            "reply": self.reply,
            "decisions": [
                {
                    "recipient": one.recipient,
                    "action": one.action.value,
                    "bounceMessage": one.bounce_message,
                    "reason": one.reason,
                    "added": one.added,
                }
                for one in self.decisions
            ],
            "findings": [_finding_json(one) for one in self.findings],
            "errors": [_finding_json(one) for one in self.errors],
            "content": {
                "updated": self.updated,
                "changed": self.before != self.after,
                "bytesBefore": len(self.before),
                "bytesAfter": len(self.after),
                "diff": diff_messages(self.before, self.after),
            },
            "steps": read_step_log(invocation.log)[0],
            "log": invocation.log,
        }


class HandlerTrials:
    """Runs a handler on one message after another, in one warm process; an async context manager.

    Args:
        tried: The handler.
        work: Folder that keeps resolved requirements and unpacked code between runs.
        progress: Called with a line of text before each slow step.
    """

    def __init__(self, tried: TriedHandler, *, work: Path, progress: Callable[[str], None]) -> None:
        self._tried = tried
        self._work = work
        self._progress = progress
        self._message = _MessageInHand()
        self._advice: list[str] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Resolve the handler's requirements and start what it may call.

        Raises:
            CodeError: Its requirements cannot be resolved.
        """
        tried = self._tried
        runtime = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        for name in (REQUIREMENTS, PROJECT):
            if (tried.folder / name).is_file():
                self._progress(f"looking at {name}; new requirements are resolved once")
                break
        layers: tuple[Path, ...] = ()
        code = tried.folder.absolute()
        if tried.packed and any(tried.folder.rglob("*.so")):
            # As a zip, of which what was resolved for another platform is resolved again for this machine.
            made = self._stack.enter_context(TemporaryDirectory(prefix="workmail-flow-try-"))
            code = Path(shutil.make_archive(f"{made}/code", "zip", tried.folder))
        elif not tried.packed:
            layers = (handler_layer(tried.folder, include=tried.include, runtime=runtime, work=self._work),)
        keys = AccessKeys.random()
        starting = "the handler calls AWS: starting it on loopback"
        aws = self._aws = await self._stack.enter_async_context(
            LazyAws(region=REGION, keys=keys, on_start=lambda: self._progress(starting))
        )
        if tried.tables:
            await aws.ready()
            await asyncio.to_thread(_make_tables, tried.tables.values(), aws.url, keys)
        objects = S3Objects(aws.url, region=REGION, keys=keys)
        self._stack.push_async_callback(objects.close)
        content = MessageFlowService(
            self._message, objects=objects, keys=keys, on_put=lambda _message, advice: self._advice.extend(advice)
        )
        content_url = await content.start()
        self._stack.push_async_callback(content.close)
        endpoints = {"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": content_url}
        self._host = await self._stack.enter_async_context(
            FunctionHost(work=self._work, endpoints=endpoints, keys=keys)
        )
        name = _function_name(tried.folder)
        self._spec = FunctionSpec(
            name=name,
            arn=f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT}:function:{name}",
            runtime=runtime,
            handler=tried.handler,
            code=code,
            layers=layers,
            environment={MESSAGE_BUCKET_VARIABLE: UPDATES_BUCKET, **tried.environment},
            memory_mb=DEFAULT_MEMORY_MB,
            timeout_s=SYNCHRONOUS_LIMIT_SECONDS if tried.synchronous else _ASYNCHRONOUS_TIMEOUT_S,
            region=REGION,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def run(self, message: bytes, envelope: Envelope) -> Trial:
        """Invoke the handler for one message and judge its reply."""
        tried = self._tried
        message_id = str(uuid4())
        event = build_event(
            message=message,
            mail_from=envelope.mail_from,
            recipients=envelope.recipients,
            direction=tried.direction,
            message_id=message_id,
            invocation_id=str(uuid4()),
        )
        invocation = await self._invoke(message, event)
        reply, decisions, errors, findings = self._judged(invocation, envelope)
        hint = failure_hint(
            error_type=invocation.error_type,
            error=invocation.error_message,
            reply=invocation.payload,
            synchronous=tried.synchronous,
        )
        advice = [Finding("hint", "handler", hint)] if hint else []
        advice += (Finding("content-advice", "content", each) for each in self._advice)
        updated = self._message.updated is not None
        shows = updated and tried.synchronous
        return Trial(
            event=event,
            invocation=invocation,
            reply=reply,
            decisions=decisions,
            errors=errors,
            findings=(*findings, *advice),
            before=message,
            after=self._message.current if shows else message,
            updated=shows,
            late_update=updated and not shows,
        )

    async def _invoke(self, message: bytes, event: dict[str, Any]) -> Invocation:
        had_aws = self._aws.started
        self._take(message, event)
        invocation = await self._host.invoke(self._spec, encode_event(event))
        if invocation.outcome is InvocationOutcome.TIMED_OUT and self._aws.started and not had_aws:
            self._progress("the handler timed out while the local AWS started: invoked again, as WorkMail does (T2)")
            await self._aws.ready()
            self._take(message, event)
            invocation = await self._host.invoke(self._spec, encode_event(event))
        return invocation

    def _take(self, message: bytes, event: dict[str, Any]) -> None:
        self._message.take(message, event["messageId"], self._tried.direction)
        self._advice.clear()

    def _judged(
        self, invocation: Invocation, envelope: Envelope
    ) -> tuple[object, tuple[Decision, ...], tuple[Finding, ...], tuple[Finding, ...]]:
        if not self._tried.synchronous:
            delivered = tuple(
                Decision(recipient, RuleAction.DEFAULT, None, "asynchronous: delivered without waiting (T4)", False)
                for recipient in envelope.recipients
            )
            return decode_payload(invocation.payload or b"null")[0], delivered, (), ()
        if invocation.payload is None:
            return None, (), (), ()
        reply, verdict = judge_payload(
            invocation.payload, direction=self._tried.direction, recipients=envelope.recipients
        )
        return reply, verdict.decisions, verdict.errors, verdict.findings


class _MessageInHand:
    """The message that is being tried, as a `ContentStore` of the message flow service."""

    def __init__(self) -> None:
        self._original = b""
        self._transit: MessageInTransit | None = None
        self.updated: bytes | None = None

    @property
    def current(self) -> bytes:
        return self._original if self.updated is None else self.updated

    def take(self, message: bytes, message_id: str, direction: FlowDirection) -> None:
        self._original = message
        self._transit = MessageInTransit(message_id, DEFAULT_ORGANIZATION_ID, direction, age_s=0.0)
        self.updated = None

    async def find(self, message_id: str) -> MessageInTransit | None:
        transit = self._transit
        return transit if transit is not None and transit.message_id == message_id else None

    async def read(self, message_id: str, *, original: bool = False) -> bytes:
        return self._original if original else self.current

    async def update(self, message_id: str, content: bytes) -> None:
        self.updated = content


def _make_tables(tables: Iterable[dict[str, Any]], url: str, keys: AccessKeys) -> None:
    import boto3  # most handlers need no table

    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys.developer,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )
    for table in tables:
        client.create_table(**table)
    client.close()


def _finding_json(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "path": finding.path, "message": finding.message}


def _function_name(folder: Path) -> str:
    """Turn the folder's name into one that Lambda takes: letters, digits, "-" and "_"."""
    return re.sub(r"[^a-zA-Z0-9-_]+", "-", folder.absolute().name)[:64] or "handler"
