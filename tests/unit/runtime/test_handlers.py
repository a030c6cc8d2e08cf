from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.load_event import EVENT_NAMES, load_event
from workmail_runtime import (
    AsynchronousEvent,
    EventError,
    InboundEvent,
    OutboundEvent,
    Reply,
    ReplyError,
    SynchronousEvent,
    asynchronous,
    synchronous,
    synchronous_inbound,
    synchronous_outbound,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_FOR_ALL = {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}


@synchronous
def default_handler(event: SynchronousEvent) -> Reply:
    """Let everything pass."""
    return event.reply.default_for_all()


@pytest.mark.fact("R1", "E2")
@pytest.mark.parametrize("name", EVENT_NAMES)
def test_a_handler_answers_every_edition_in_json(name: str) -> None:
    answer = default_handler(load_event(name), None)
    assert json.loads(json.dumps(answer)) == DEFAULT_FOR_ALL


def test_a_handler_keeps_the_name_and_docstring_of_its_function() -> None:
    assert (default_handler.__name__, default_handler.__doc__) == ("default_handler", "Let everything pass.")  # type: ignore[attr-defined]


def test_the_function_as_it_was_written() -> None:
    event = SynchronousEvent.parse(load_event("inbound"))
    assert default_handler.__wrapped__(event) == event.reply.default_for_all()


def test_the_function_sees_lambdas_context() -> None:
    context = SimpleNamespace(aws_request_id="attempt", get_remaining_time_in_millis=lambda: 1000)

    @synchronous
    def handler(event: SynchronousEvent) -> Reply:
        assert event.context is context
        return event.reply

    assert handler(load_event("inbound"), context) == {"actions": []}


def test_declared_directions() -> None:
    @synchronous_inbound
    def inbound(event: InboundEvent) -> Reply:
        return event.reply.move_to_junk_for_all()

    @synchronous_outbound
    def outbound(event: OutboundEvent) -> Reply:
        return event.reply.drop_for_all()

    assert inbound(load_event("edition_oldest"))["actions"][0]["action"] == {"type": "MOVE_TO_JUNK"}
    assert outbound(load_event("edition_oldest"))["actions"][0]["action"] == {"type": "DROP"}
    with pytest.raises(EventError, match="handler is declared for INBOUND"):
        inbound(load_event("outbound"))
    with pytest.raises(EventError, match="handler is declared for OUTBOUND"):
        outbound(load_event("inbound"))


@pytest.mark.parametrize("decorate", [synchronous, synchronous_inbound, synchronous_outbound, asynchronous])
def test_a_malformed_event_never_reaches_the_function(decorate: Any) -> None:
    called: list[object] = []
    with pytest.raises(EventError):
        decorate(called.append)({"envelope": {}}, None)
    assert called == []


def _returning(reply: object, name: str = "inbound") -> Any:
    return synchronous(lambda _: reply)(load_event(name))  # type: ignore[arg-type, return-value]


@pytest.mark.fact("R8")
@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (None, "the handler returned a NoneType; return event.reply with its actions"),
        ([], "the handler returned a list"),
        ({}, r"\$.actions: `actions` is missing"),
        (
            {"actions": [{"action": {"type": "QUARANTINE"}}]},
            r"\$.actions\[0\].action.type: 'QUARANTINE' is not an action",
        ),
        ({"actions": [{"action": {"type": "DROP"}, "recipients": ["bob"]}]}, r"\$.actions\[0\].recipients\[0\]: "),
        ({"actions": [], "extra": {1, 2}}, "the reply cannot be written as JSON: TypeError"),
        ({"actions": [], "extra": float("nan")}, "the reply cannot be written as JSON: ValueError"),
        ({"actions": [], "extra": "\ud800"}, "the reply cannot be written as JSON: UnicodeEncodeError"),
        ({"actions": [{"action": {"type": "BOUNCE", "parameters": {"bounceMessage": "x" * 262_144}}}]}, "262,144"),
    ],
)
def test_what_is_returned_is_judged(reply: object, message: str) -> None:
    with pytest.raises(ReplyError, match=message):
        _returning(reply)


@pytest.mark.fact("R8")
def test_a_reply_too_large_counts_as_it_is_sent() -> None:
    def bounce(length: int) -> Any:
        return synchronous(lambda event: event.reply.bounce_for_all(message="é" * length))(load_event("inbound"))

    assert bounce(130_000)
    with pytest.raises(ReplyError, match=r"the reply is 262,2\d\d bytes"):
        bounce(131_070)


@pytest.mark.fact("R2")
def test_a_dict_is_judged_by_the_events_direction() -> None:
    junk = {"actions": [{"action": {"type": "MOVE_TO_JUNK"}, "allRecipients": True}]}
    assert _returning(junk) == junk
    assert _returning(junk, "edition_oldest") == junk
    with pytest.raises(ReplyError, match="MOVE_TO_JUNK is not an outbound action"):
        _returning(junk, "outbound")


@pytest.mark.fact("R12")
def test_a_string_boolean_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    reply = {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": "true"}]}
    assert _returning(reply) == reply
    assert "$.actions[0].allRecipients: `allRecipients` is the string 'true'" in caplog.text


@pytest.mark.fact("R10", "T4")
def test_an_asynchronous_handler_answers_nothing() -> None:
    seen: list[str | None] = []

    @asynchronous
    def handler(event: AsynchronousEvent) -> None:
        seen.append(event.message_id)

    assert handler(load_event("inbound"), None) is None
    assert seen == ["00aabbcc-1122-3344-5566-77889900aabb"]
    assert not hasattr(AsynchronousEvent, "reply")


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_log_lines_hold_ids_and_no_address_or_subject(name: str, everything_logged: pytest.LogCaptureFixture) -> None:
    raw = load_event(name)
    default_handler(raw)
    asynchronous(lambda _: None)(raw)
    synchronous(lambda event: {"actions": [{"action": {"type": "DROP"}, "recipients": [event.recipients[0]]}]})(raw)
    synchronous(lambda event: event.reply.add_bcc("archive@other.example"))(raw)
    text = everything_logged.text
    assert f"message_id={raw.get('messageId')}" in text
    assert f"invocation_id={raw.get('invocationId')}" in text
    assert "@" not in text
    assert "example" not in text
    assert "merger" not in text
