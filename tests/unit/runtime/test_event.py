from __future__ import annotations

from typing import Any

import pytest

from tests.unit.runtime.load_event import EVENT_NAMES, load_event
from workmail_runtime import (
    AsynchronousEvent,
    Event,
    EventError,
    FlowDirection,
    InboundEvent,
    InboundReply,
    OutboundEvent,
    Reply,
    SynchronousEvent,
)


@pytest.mark.fact("E1", "E8")
def test_newest_edition() -> None:
    event = Event.parse(load_event("inbound"))
    assert event.mail_from == "alice@partner.example"
    assert event.recipients == ("bob@corp.example", "carol@corp.example")
    assert event.subject == "Secret merger"
    assert event.sender is None
    assert event.message_id == "00aabbcc-1122-3344-5566-77889900aabb"
    assert event.invocation_id == "0123456789abcdef0123456789abcdef"
    assert event.direction is FlowDirection.INBOUND
    assert event.truncated is False
    assert event.summary_version == "2019-07-28"


@pytest.mark.fact("E2")
@pytest.mark.parametrize("name", EVENT_NAMES)
@pytest.mark.parametrize("kind", [Event, SynchronousEvent, AsynchronousEvent])
def test_every_edition_parses(name: str, kind: type[Event]) -> None:
    raw = load_event(name)
    event = kind.parse(raw)
    assert isinstance(event, kind)
    assert event.raw is raw


@pytest.mark.fact("E2")
@pytest.mark.parametrize(("name", "version"), [("edition_oldest", None), ("edition_2018_10_10", "2018-10-10")])
def test_older_editions_lack_ids_and_direction(name: str, version: str | None) -> None:
    event = SynchronousEvent.parse(load_event(name))
    assert event.summary_version == version
    assert (event.message_id, event.invocation_id, event.direction) == (None, None, None)
    assert type(event) is SynchronousEvent
    assert type(event.reply) is Reply


@pytest.mark.fact("E2")
def test_older_edition_takes_the_declared_direction() -> None:
    event = InboundEvent.parse(load_event("edition_oldest"))
    assert event.direction is FlowDirection.INBOUND
    assert type(event.reply) is InboundReply


@pytest.mark.fact("E3")
def test_on_behalf() -> None:
    event = Event.parse(load_event("on_behalf"))
    assert (event.sender, event.mail_from) == ("bob@corp.example", "office@corp.example")


@pytest.mark.fact("E5", "E6")
def test_cut_subject_and_recipients() -> None:
    event = Event.parse(load_event("truncated"))
    assert event.truncated is True
    assert len(event.subject) == 256


def test_unknown_fields_are_ignored_and_reachable() -> None:
    assert Event.parse(load_event("from_the_future")).raw["spamScore"] == 0.3


def test_null_reverse_path() -> None:
    assert Event.parse(load_event("bounce")).mail_from == ""


@pytest.mark.parametrize(("name", "kind"), [("inbound", InboundEvent), ("outbound", OutboundEvent)])
def test_a_synchronous_event_is_of_its_direction(name: str, kind: type[Event]) -> None:
    assert type(SynchronousEvent.parse(load_event(name))) is kind


def test_an_event_of_another_direction_than_declared() -> None:
    with pytest.raises(EventError, match=r"\$.flowDirection: found OUTBOUND, but the handler is declared for INBOUND"):
        InboundEvent.parse(load_event("outbound"))


def test_events_are_frozen_and_equal_by_value() -> None:
    event = Event.parse(load_event("inbound"))
    assert event == Event.parse(load_event("inbound"))
    with pytest.raises(AttributeError, match="frozen"):
        event.subject = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_printing_shows_no_address_or_subject(name: str) -> None:
    shown = repr(SynchronousEvent.parse(load_event(name)))
    assert "@" not in shown
    assert "merger" not in shown


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (None, "$: found nothing, expected an object"),
        ([], "$: found a list, expected an object"),
        ("{}", "$: found a str, expected an object"),
        ({}, "$.envelope: found nothing, expected an object"),
        (load_event("inbound", envelope=[]), "$.envelope: found a list, expected an object"),
        (load_event("inbound", envelope={}), "$.envelope.mailFrom: found nothing, expected an object"),
        (load_event("inbound", envelope={}), "$.envelope.recipients: found nothing, expected a list of objects"),
        (
            load_event("inbound", envelope={"mailFrom": {}, "recipients": []}),
            "$.envelope.mailFrom.address: found nothing, expected a string",
        ),
        (
            load_event("inbound", envelope={"mailFrom": {"address": ""}, "recipients": [{}, "x", {"address": 1}]}),
            (
                "$.envelope.recipients[0].address: found nothing, expected a string; "
                "$.envelope.recipients[1]: found a str, expected an object; "
                "$.envelope.recipients[2].address: found a int, expected a string"
            ),
        ),
        (load_event("inbound", sender="bob"), "$.sender: found a str, expected an object"),
        (load_event("inbound", sender={"address": []}), "$.sender.address: found a list, expected a string"),
        (load_event("inbound", subject=1), "$.subject: found a int, expected a string"),
        (load_event("inbound", messageId="../x"), "$.messageId: found other characters or length, expected [a-z0-9-]"),
        (load_event("inbound", messageId=1), "$.messageId: found a int, expected a string"),
        (load_event("inbound", invocationId={}), "$.invocationId: found a dict, expected a string"),
        (load_event("inbound", flowDirection="SIDEWAYS"), "$.flowDirection: found another word, expected INBOUND or"),
        (load_event("inbound", truncated="true"), "$.truncated: found a str, expected true or false"),
        (load_event("inbound", summaryVersion=2019), "$.summaryVersion: found a int, expected a string"),
    ],
)
def test_malformed_events_name_the_path(raw: Any, problem: str) -> None:
    with pytest.raises(EventError) as raised:
        SynchronousEvent.parse(raw)
    assert problem in str(raised.value)
    assert "merger" not in str(raised.value)
    assert "@" not in str(raised.value)


def test_all_problems_are_reported_together_and_none_twice() -> None:
    with pytest.raises(EventError) as raised:
        Event.parse({"envelope": 1, "subject": 2, "truncated": 3})
    assert raised.value.problems == (
        "$.envelope: found a int, expected an object",
        "$.subject: found a int, expected a string",
        "$.truncated: found a int, expected true or false",
    )
