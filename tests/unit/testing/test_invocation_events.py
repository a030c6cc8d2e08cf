"""Events for handler tests: the recorded events of every edition are what they are measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.load_event import load_event
from workmail_constructs.testing import EVENT_EDITIONS, inbound_event, outbound_event
from workmail_runtime import Event, FlowDirection, InboundReply, Reply, synchronous_inbound

if TYPE_CHECKING:
    from workmail_constructs.testing import EventEdition
    from workmail_runtime import InboundEvent

IDS = {
    "message_id": "00aabbcc-1122-3344-5566-77889900aabb",
    "invocation_id": "0123456789abcdef0123456789abcdef",
    "subject": "Secret merger",
}
ON_BEHALF = {
    **IDS,
    "mail_from": "alice@partner.example",
    "recipients": ["bob@corp.example"],
    "sender": "assistant@partner.example",
}


@pytest.mark.fact("E1", "E2")
@pytest.mark.parametrize(
    ("recorded", "built"),
    [
        (
            "inbound",
            inbound_event(
                mail_from="alice@partner.example", recipients=["bob@corp.example", "carol@corp.example"], **IDS
            ),
        ),
        ("outbound", outbound_event(mail_from="bob@corp.example", recipients=["alice@partner.example"], **IDS)),
        ("bounce", inbound_event(**{**IDS, "mail_from": "", "recipients": ["bob@corp.example"], "subject": ""})),
        ("edition_2018_10_10", inbound_event(**ON_BEHALF, edition="2018-10-10")),
        ("edition_oldest", inbound_event(**ON_BEHALF, edition="oldest")),
    ],
)
def test_an_event_is_the_one_that_was_recorded(recorded: str, built: dict[str, Any]) -> None:
    assert built == load_event(recorded)


@pytest.mark.fact("E2")
@pytest.mark.parametrize("edition", EVENT_EDITIONS)
def test_a_handler_takes_every_edition(edition: EventEdition) -> None:
    @synchronous_inbound
    def handler(event: InboundEvent) -> Reply:
        assert isinstance(event.reply, InboundReply)
        return event.reply.drop(event.recipients)

    answer = handler(inbound_event(recipients=["bob@example.com"], edition=edition), None)

    assert answer["actions"] == [{"action": {"type": "DROP"}, "recipients": ["bob@example.com"]}]


def test_the_editions_differ() -> None:
    versions = [inbound_event(edition=edition).get("summaryVersion") for edition in EVENT_EDITIONS]
    assert versions == ["2019-07-28", "2018-10-10", None]


def test_without_arguments_mail_goes_the_way_that_the_name_says() -> None:
    inbound, outbound = Event.parse(inbound_event()), Event.parse(outbound_event())
    assert (inbound.direction, outbound.direction) == (FlowDirection.INBOUND, FlowDirection.OUTBOUND)
    assert inbound.recipients == (outbound.mail_from,)
    assert outbound.recipients == (inbound.mail_from,)


@pytest.mark.fact("E6")
def test_recipients_are_cut_as_workmail_cuts_them() -> None:
    event = inbound_event(recipients=[f"{number:0200}@example.com" for number in range(1000)])
    assert event["truncated"] is True
    assert 0 < len(event["envelope"]["recipients"]) < 1000
    assert inbound_event(truncated=True)["truncated"] is True


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"edition": "2020-01-01"}, ValueError, "edition: found '2020-01-01'; allowed are 2019-07-28, 2018-10-10, old"),
        ({"recipients": "a@example.com"}, TypeError, r"give a list of addresses: \['a@example.com'\]"),
        ({"to": ["a@example.com"]}, TypeError, "to: unknown argument; allowed are recipients, mail_from"),
        ({"message_id": "A"}, ValueError, r"message_id is 'A'; allowed is \[a-z0-9-\]"),
    ],
)
def test_a_mistake_is_named(fields: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        inbound_event(**fields)
