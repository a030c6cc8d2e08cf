"""One handler folder, tried on messages: as WorkMail would run it, without a stack and without keeping anything."""

from __future__ import annotations

import json
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email.errors import MessageError
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from workmail_flow.address import address_problem
from workmail_flow.judge_reply import Decision, Finding, judge_reply
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS
from workmail_flow.vocabulary import RuleAction
from workmail_local.functions import FunctionHost, FunctionSpec, InvocationOutcome
from workmail_local.functions.handler_layer import handler_layer
from workmail_local.invocation_event import build_event, encode_event
from workmail_local.mail.message_diff import diff_messages
from workmail_local.message_flow.service import MessageFlowService, S3Objects
from workmail_local.records import MessageInTransit
from workmail_local.trial.lazy_aws import LazyAws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from workmail_flow.vocabulary import FlowDirection
    from workmail_local.functions import Invocation

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
ORGANIZATION_ID: Final = "m-0123456789abcdef0123456789abcdef"
UPDATES_BUCKET: Final = "workmail-flow-try"
"""What `WORKMAIL_MESSAGE_BUCKET` says unless the caller says otherwise."""

NO_SENDER: Final = "sender@example.com"
NO_RECIPIENT: Final = "recipient@example.com"
"""For messages whose headers name nobody."""

MEMORY_MB: Final = 256
"""What the constructs give a function by default."""

_ASYNCHRONOUS_TIMEOUT_S: Final = 60.0
_IN_CONTENT = frozenset({RuleAction.DROP.value, RuleAction.BOUNCE.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedHandler:
    """What is tried.

    Attributes:
        folder: Holds the handler and maybe a `requirements.txt`.
        handler: For example `app.handler`.
        direction: Of the rule.
        synchronous: Whether the mail waits for the reply and the reply decides (R10, T4).
        environment: The function's variables.
    """

    folder: Path
    handler: str
    direction: FlowDirection
    synchronous: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who a message comes from and goes to; "" is the null reverse-path."""

    mail_from: str
    recipients: tuple[str, ...]

    @classmethod
    def of(cls, message: bytes, *, mail_from: str | None = None, recipients: Sequence[str] = ()) -> Self:
        """Return the given envelope, completed from the message's own headers.

        The sender is that of Return-Path, else From; the recipients are those of To, Cc and Bcc. Where there is none,
        an example address stands in.
        """
        return cls(
            mail_from=_sender_of(message) if mail_from is None else mail_from,
            recipients=tuple(recipients) or tuple(_addresses(message, "To", "Cc", "Bcc")) or (NO_RECIPIENT,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one message.

    Attributes:
        event: As the function got it.
        reply: As decoded from JSON; None if there is none, or it is not JSON.
        decisions: One for each recipient; empty if the invocation failed.
        errors: Why the reply is not valid (R8).
        findings: What its author should mend.
        before: The message as it came.
        after: The message as it goes on.
        late_update: Whether an update was accepted that changes nothing, as the mail did not wait (C4).
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
        """Whether the invocation succeeded: the function answered, and in time, with a valid reply."""
        return self.invocation.outcome is InvocationOutcome.REPLIED and not self.errors

    @property
    def reaches_nobody(self) -> bool:
        """Whether every recipient's decision is to drop or bounce."""
        return bool(self.decisions) and all(one.action.value in _IN_CONTENT for one in self.decisions)

    def to_json(self) -> dict[str, Any]:
        """Return the documented form for machines."""
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
            "log": invocation.log,
        }


class HandlerTrials:
    """Runs a handler folder on one message after another; an async context manager.

    Args:
        tried: The folder and how it is run.
        work: Folder for what is worth keeping between runs: resolved requirements, unpacked code.
        progress: Told what takes a moment.
    """

    def __init__(self, tried: TriedHandler, *, work: Path, progress: Callable[[str], None]) -> None:
        self._tried = tried
        self._work = work
        self._progress = progress
        self._message = _MessageInHand()
        self._advice: list[str] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Prepare the folder.

        Raises:
            CodeError: Its requirements cannot be resolved.
        """
        tried = self._tried
        version = sys.version_info[:2]
        if (tried.folder / "requirements.txt").is_file():
            self._progress("looking at requirements.txt; new requirements are resolved once")
        layer = handler_layer(tried.folder, python_version=version, work=self._work)
        aws = self._aws = await self._stack.enter_async_context(
            LazyAws(region=REGION, on_start=lambda: self._progress("the handler calls AWS: starting it on loopback"))
        )
        objects = S3Objects(aws.url, region=REGION)
        self._stack.push_async_callback(objects.close)
        content = MessageFlowService(
            self._message, objects=objects, on_put=lambda _message, advice: self._advice.extend(advice)
        )
        content_url = await content.start()
        self._stack.push_async_callback(content.close)
        endpoints = {"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": content_url}
        self._host = await self._stack.enter_async_context(FunctionHost(work=self._work, endpoints=endpoints))
        self._spec = FunctionSpec(
            name=_function_name(tried.folder),
            arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{_function_name(tried.folder)}",
            runtime=f"python{version[0]}.{version[1]}",
            handler=tried.handler,
            code=tried.folder.absolute(),
            layers=(layer,),
            environment={"WORKMAIL_MESSAGE_BUCKET": UPDATES_BUCKET, **tried.environment},
            memory_mb=MEMORY_MB,
            timeout_s=SYNCHRONOUS_LIMIT_SECONDS if tried.synchronous else _ASYNCHRONOUS_TIMEOUT_S,
            region=REGION,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def run(self, message: bytes, envelope: Envelope) -> Trial:
        """Invoke the handler for one message and judge what it answers."""
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
        updated = self._message.updated is not None
        shows = updated and tried.synchronous
        return Trial(
            event=event,
            invocation=invocation,
            reply=reply,
            decisions=decisions,
            errors=errors,
            findings=(*findings, *(Finding("content-advice", "content", advice) for advice in self._advice)),
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
            self._progress(
                "the handler timed out while the local AWS was starting: invoked again, as WorkMail does (T2)"
            )
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
            return _decoded(invocation.payload)[0], delivered, (), ()
        if invocation.payload is None:
            return None, (), (), ()
        reply, not_json = _decoded(invocation.payload)
        if not_json:
            return None, (), (Finding("not-json", "$", not_json),), ()
        verdict = judge_reply(
            reply,
            direction=self._tried.direction,
            recipients=envelope.recipients,
            size=len(invocation.payload),
        )
        findings = verdict.findings
        if reply is None:
            hint = "a handler of an asynchronous rule may return nothing (R10): try it as one"
            findings = (*findings, Finding("asynchronous-reply", "$", hint))
        return reply, verdict.decisions, verdict.errors, findings


class _MessageInHand:
    """The one message that is tried, as the message flow service sees it (a `ContentStore`)."""

    def __init__(self) -> None:
        self._original = b""
        self._transit: MessageInTransit | None = None
        self.updated: bytes | None = None

    @property
    def current(self) -> bytes:
        return self._original if self.updated is None else self.updated

    def take(self, message: bytes, message_id: str, direction: FlowDirection) -> None:
        self._original = message
        self._transit = MessageInTransit(message_id, ORGANIZATION_ID, direction, age_s=0.0)
        self.updated = None

    async def find(self, message_id: str) -> MessageInTransit | None:
        transit = self._transit
        return transit if transit is not None and transit.message_id == message_id else None

    async def read(self, message_id: str, *, original: bool = False) -> bytes:
        return self._original if original else self.current

    async def update(self, message_id: str, content: bytes) -> None:
        self.updated = content


def _decoded(payload: bytes | None) -> tuple[object, str | None]:
    """Return the decoded reply, and why it could not be decoded."""
    try:
        return (json.loads(payload) if payload else None), None
    except ValueError as error:
        return None, f"the reply is not JSON: {error} (R8)"


def _finding_json(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "path": finding.path, "message": finding.message}


def _function_name(folder: Path) -> str:
    """Return a function's name made of the folder's: letters, digits, - and _ are what Lambda takes."""
    return re.sub(r"[^a-zA-Z0-9-_]+", "-", folder.absolute().name)[:64] or "handler"


def _sender_of(message: bytes) -> str:
    for value in _header_values(message, "Return-Path"):
        if value.strip() == "<>":
            return ""
    return next(iter([*_addresses(message, "Return-Path"), *_addresses(message, "From")]), NO_SENDER)


def _addresses(message: bytes, *names: str) -> list[str]:
    """Return the addresses of these header fields, each once, in order; what is no address is left out."""
    values = [value for name in names for value in _header_values(message, name)]
    found = [address for _, address in getaddresses(values) if address and not address_problem(address)]
    return list(dict.fromkeys(found))


def _header_values(message: bytes, name: str) -> list[str]:
    try:
        return [str(value) for value in BytesHeaderParser().parsebytes(message).get_all(name, [])]
    except (MessageError, ValueError):
        return []
