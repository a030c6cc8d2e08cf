"""The filter patterns that count entries of the event log, and the names of what they count."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.flow.filter_pattern import matches
from workmail_flow.email_event_metrics import (
    bounce_pattern,
    events_namespace,
    rule_id,
    rule_metric,
    rule_pattern,
)
from workmail_flow.email_events import EmailEvent, EventName, RuleType

NAMES = (
    st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=80).map(str.strip).filter(bool)
)
"""What a rule may be called: text that can be printed, without spaces at its ends (F1)."""


def applied(rule: str, rule_type: str = RuleType.INBOUND_RULE, name: str = EventName.RULE_APPLIED) -> object:
    event = EmailEvent(trace_id="t", name=name, fields={"ruleName": rule, "ruleType": rule_type, "ruleActions": []})
    return json.loads(event.to_text())


@pytest.mark.fact("W3")
@pytest.mark.parametrize("name", EventName)
def test_bounces_are_counted_by_their_name(name: EventName) -> None:
    entry = json.loads(EmailEvent(trace_id="t", name=name, fields={"bouncedRecipient": "a@example.com"}).to_text())

    for wanted in (EventName.INCOMING_EMAIL_BOUNCED, EventName.OUTGOING_EMAIL_BOUNCED):
        assert matches(bounce_pattern(wanted), entry) == (name == wanted)


@pytest.mark.fact("W4")
def test_a_rule_is_counted_by_its_name_and_a_users_own_rule_is_not() -> None:
    pattern = rule_pattern("Disclaimer")

    assert matches(pattern, applied("Disclaimer"))
    assert matches(pattern, applied("Disclaimer", RuleType.OUTBOUND_RULE))
    assert not matches(pattern, applied("Disclaimer", RuleType.MAILBOX_RULE))
    assert not matches(pattern, applied("Disclaimer 2"))
    assert not matches(pattern, applied("Disclaimer", name=EventName.MAILBOX_EMAIL_DELIVERED))


@given(NAMES)
def test_any_name_is_matched(name: str) -> None:
    assert matches(rule_pattern(name), applied(name))


@given(NAMES, NAMES)
def test_no_other_name_is_matched_unless_a_star_stands_at_an_end(name: str, other: str) -> None:
    if name != other and "*" not in (name[0], name[-1]):
        assert not matches(rule_pattern(name), applied(other))


@pytest.mark.parametrize(
    ("name", "other"),
    [('"', '\\"'), ("\\", "\\\\"), ('a" || $.x = "b', "a"), ('"x"', "x"), ("a*b", "aXb"), ("a\\", 'a"'), ("}", "{")],
)
def test_what_the_syntax_uses_itself_is_a_character_in_a_name(name: str, other: str) -> None:
    assert matches(rule_pattern(name), applied(name))
    assert not matches(rule_pattern(name), applied(other))


@given(NAMES)
def test_names_in_cloudwatch_have_only_what_it_takes(name: str) -> None:
    metric = rule_metric(name)

    assert re.fullmatch(r"[ -~]{1,255}", metric)
    assert not set(metric) & set(":*$")
    assert re.fullmatch(r"Rule-[0-9A-Za-z]{0,40}-[0-9a-f]{8}", rule_id(name))


def test_the_names_of_two_rules_differ() -> None:
    names = ["Spam", "spam", "Früh", "Fr_h", "a/b", "a--b", "a:b", "a*b", "x" * 300, "x" * 301, "Spam 1", "Spam1"]

    assert len({rule_metric(name) for name in names}) == len(names)
    assert len({rule_id(name) for name in names}) == len(names)
    assert rule_metric("Spam 1") == "RuleApplied Spam 1"
    assert rule_metric("a:b").startswith("RuleApplied a_b ")


def test_each_organization_has_a_namespace() -> None:
    assert events_namespace("acme") == "WorkMailEvents/acme"
