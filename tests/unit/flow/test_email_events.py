"""Entries of the event log: read if they have WorkMail's shape, passed over if not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_flow.email_events import MAX_TRACE_ID_CHARACTERS, EmailEvent, EventName

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.fact("W3", "W4")
def test_an_entry_is_read_and_written_as_workmail_writes_it() -> None:
    actions = [{"action": "DROP", "recipients": ["a@x.test"]}, {"action": "DEFAULT"}]
    text = json.dumps({"traceId": "t", "event": {"eventName": "RULE_APPLIED", "ruleActions": actions}})
    event = EmailEvent.read(text)
    assert event is not None
    assert (event.trace_id, event.name) == ("t", EventName.RULE_APPLIED)
    assert event.applied_actions == (("DROP", ("a@x.test",)), ("DEFAULT", ()))
    assert event.to_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "START RequestId: 1",
        "[]",
        "[" * 100_000,
        '{"traceId": 1, "event": {"eventName": "RULE_APPLIED"}}',
        '{"traceId": "t", "event": []}',
        '{"traceId": "t", "event": {"eventName": null}}',
        json.dumps({"traceId": "t" * (MAX_TRACE_ID_CHARACTERS + 1), "event": {"eventName": "RULE_APPLIED"}}),
    ],
)
def test_what_is_no_entry_of_workmails_is_passed_over(text: str) -> None:
    assert EmailEvent.read(text) is None


@given(st.text() | json_values.map(json.dumps))
def test_any_text_is_read_or_passed_over(text: str) -> None:
    EmailEvent.read(text)


@given(trace=st.text(max_size=MAX_TRACE_ID_CHARACTERS), actions=json_values, name=st.text())
def test_any_actions_are_read_or_passed_over(trace: str, actions: object, name: str) -> None:
    text = json.dumps({"traceId": trace, "event": {"eventName": name, "ruleActions": actions}})
    event = EmailEvent.read(text)
    assert event is not None
    given_actions = actions if isinstance(actions, list) else []
    assert len(event.applied_actions) <= len(given_actions)
    for action, recipients in event.applied_actions:
        assert isinstance(action, str)
        assert all(isinstance(recipient, str) for recipient in recipients)
