from __future__ import annotations

import json

import pytest

from workmail_flow.limits import MAX_EVENT_BYTES
from workmail_flow.vocabulary import FlowDirection
from workmail_local.invocation_event import build_event, encode_event

MESSAGE = b"From: Ann <ann@example.org>\r\nTo: bob@example.com\r\nSubject: Hello\r\n\r\nHi\r\n"
ID = "00000000-0000-4000-8000-000000000000"


def event_of(message: bytes = MESSAGE, recipients: tuple[str, ...] = ("bob@example.com",)) -> dict[str, object]:
    return build_event(
        message=message,
        mail_from="bounces@example.org",
        recipients=recipients,
        direction=FlowDirection.INBOUND,
        message_id=ID,
        invocation_id="i-1",
    )


@pytest.mark.fact("E1", "E2", "E4")
def test_the_newest_form() -> None:
    assert event_of() == {
        "summaryVersion": "2019-07-28",
        "envelope": {
            "mailFrom": {"address": "bounces@example.org"},
            "recipients": [{"address": "bob@example.com"}],
        },
        "subject": "Hello",
        "messageId": ID,
        "invocationId": "i-1",
        "flowDirection": "INBOUND",
        "truncated": False,
    }


@pytest.mark.fact("E3")
def test_on_behalf_of_names_the_sender_and_the_address_acted_for() -> None:
    event = event_of(b"Sender: aide@example.org\r\n" + MESSAGE)
    assert event["sender"] == {"address": "aide@example.org"}
    assert event["envelope"]["mailFrom"] == {"address": "ann@example.org"}  # type: ignore[index]


@pytest.mark.fact("E3")
def test_a_sender_who_is_also_the_author_is_not_on_behalf() -> None:
    assert "sender" not in event_of(b"Sender: ANN@example.org\r\n" + MESSAGE)


@pytest.mark.fact("E5", "E6")
def test_the_subject_is_cut_without_saying_truncated() -> None:
    event = event_of(b"From: a@example.org\r\nSubject: " + b"x" * 300 + b"\r\n\r\n")
    assert event["subject"] == "x" * 256
    assert event["truncated"] is False


@pytest.mark.fact("E6")
@pytest.mark.parametrize("local", ["r" * 300, "\u00e9" * 150])
def test_recipients_are_cut_at_the_payload_limit_and_no_earlier(local: str) -> None:
    recipients = tuple(f"{number:03}{local}@example.com" for number in range(500))
    event = event_of(recipients=recipients)
    kept = [entry["address"] for entry in event["envelope"]["recipients"]]  # type: ignore[index]
    assert event["truncated"] is True
    assert tuple(kept) == recipients[: len(kept)]
    one = len(json.dumps({"address": recipients[0]}, ensure_ascii=False).encode())
    assert MAX_EVENT_BYTES - one < len(encode_event(event)) <= MAX_EVENT_BYTES


@pytest.mark.fact("E8")
@pytest.mark.parametrize("message_id", ["", "A", "a_b", "a" * 121])
def test_a_message_id_of_another_form_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match=r"message_id is .*\[a-z0-9-\]\{1,120\}"):
        build_event(
            message=MESSAGE,
            mail_from="a@example.org",
            recipients=[],
            direction=FlowDirection.INBOUND,
            message_id=message_id,
            invocation_id="i",
        )
