"""Runs steps on a message without Lambda, AWS and CDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.runtime.load_event import load_event
from workmail_rules.condition import Condition
from workmail_rules.conversation import Conversation
from workmail_rules.run_steps import RuleStep
from workmail_runtime.content import MessageContent
from workmail_runtime.event import InboundEvent, OutboundEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from workmail_runtime.event import Event

RAW = b"From: carol@example.net\r\nTo: alice@example.com\r\nSubject: Agenda\r\n\r\nHello\r\n"


class Context:
    """Lambda's context of an invocation with some seconds left."""

    aws_request_id = "one"

    def __init__(self, left_s: float = 14.0) -> None:
        self._left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


def inbound(
    *recipients: str, mail_from: str = "carol@example.net", left_s: float = 14.0, **changes: Any
) -> InboundEvent:
    """Return an inbound event for these recipients."""
    envelope = {"mailFrom": {"address": mail_from}, "recipients": [{"address": each} for each in recipients]}
    return InboundEvent.parse(load_event("inbound", envelope=envelope, **changes), Context(left_s))


def outbound(*recipients: str, **changes: Any) -> OutboundEvent:
    """Return an outbound event for these recipients."""
    envelope = {"mailFrom": {"address": "alice@example.com"}, "recipients": [{"address": each} for each in recipients]}
    return OutboundEvent.parse(load_event("outbound", envelope=envelope, **changes), Context())


def step(run: Callable[..., object], **fields: Any) -> RuleStep:
    """Return a step whose failure lets the mail go on, changed by `fields`."""
    defaults = {"must": False, "edits": True, "condition": Condition(), "configuration": {}}
    return RuleStep(**{"name": run.__name__, "run": run, **defaults, **fields})


def conversation_of(event: Event, raw: bytes = RAW) -> Conversation:
    """Return a conversation whose content needs no fetch."""
    return Conversation(event, edits=True, content=MessageContent(event, raw))


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines of JSON that were printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
