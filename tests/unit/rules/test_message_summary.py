"""What a step tells another service of a message, judged by the schema of the docs."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.stub_services import new_message
from workmail_rules.message_summary import MAX_BYTES, message_summary
from workmail_rules.step_errors import StepError

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/steps/message_summary.schema.json").read_text("utf-8"))
ORGANIZATION = "m-0123456789abcdef0123456789abcdef"
ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_it_holds_ids_and_counts_only_unless_asked_for_more() -> None:
    text = message_summary(new_message(), organization_id=ORGANIZATION, addresses=False, subject=False)
    assert json.loads(text) == {
        "version": 1,
        "organizationId": ORGANIZATION,
        "invocationId": "0123456789abcdef0123456789abcdef",
        "messageId": "00aabbcc-1122-3344-5566-77889900aabb",
        "flowDirection": "INBOUND",
        "recipientCount": 2,
        "truncated": False,
    }


def test_it_holds_what_it_is_asked_for_of_the_recipients_that_the_step_is_for() -> None:
    message = new_message(recipients=["carol@corp.example"])
    summary = json.loads(message_summary(message, organization_id=ORGANIZATION, addresses=True, subject=True))
    jsonschema.validate(summary, SCHEMA)
    assert (summary["subject"], summary["mailFrom"], summary["sender"]) == (
        "Secret merger",
        "alice@partner.example",
        None,
    )
    assert (summary["recipients"], summary["recipientCount"]) == (["carol@corp.example"], 1)


@pytest.mark.fact("E6")
def test_recipients_that_do_not_fit_are_left_out_and_it_says_so() -> None:
    addresses = [f"{index}{'ö' * 300}@corp.example" for index in range(500)]
    message = new_message(envelope={"mailFrom": {"address": ""}, "recipients": [{"address": a} for a in addresses]})
    text = message_summary(message, organization_id=ORGANIZATION, addresses=True, subject=True)
    summary = json.loads(text)
    jsonschema.validate(summary, SCHEMA)
    kept = len(summary["recipients"])
    assert summary["recipients"] == addresses[:kept]
    assert (summary["recipientCount"], summary["truncated"]) == (500, True)
    assert MAX_BYTES - 1000 < len(text.encode()) <= MAX_BYTES


def test_what_is_too_long_without_recipients_is_refused() -> None:
    message = new_message(subject="s" * MAX_BYTES)
    with pytest.raises(StepError, match="more than 245,760 bytes without any recipient"):
        message_summary(message, organization_id=ORGANIZATION, addresses=True, subject=True)


@pytest.mark.fact("E2")
def test_an_event_of_the_oldest_edition_has_no_ids() -> None:
    message = new_message("edition_oldest")
    summary = json.loads(message_summary(message, organization_id=ORGANIZATION, addresses=True, subject=True))
    jsonschema.validate(summary, SCHEMA)
    assert (summary["invocationId"], summary["messageId"]) == (None, None)


@given(subject=ANY_TEXT, mail_from=ANY_TEXT, recipients=st.lists(ANY_TEXT))
def test_any_text_makes_json_that_keeps_to_the_schema(subject: str, mail_from: str, recipients: list[str]) -> None:
    envelope = {"mailFrom": {"address": mail_from}, "recipients": [{"address": each} for each in recipients]}
    message = new_message(subject=subject, envelope=envelope)
    text = message_summary(message, organization_id=ORGANIZATION, addresses=True, subject=True)
    jsonschema.validate(json.loads(text.encode()), SCHEMA)
