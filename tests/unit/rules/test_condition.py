"""Whose mail a step is for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.running import inbound
from workmail_flow.patterns import Pattern, PatternKind
from workmail_rules.condition import Condition
from workmail_rules.outcomes import REST
from workmail_rules.pattern_set import PatternSet

DOMAINS = st.sampled_from(["example.com", "a.example.com", "b.a.example.com", "example.net", "com"])
ADDRESSES = st.builds(lambda name, domain: f"{name}@{domain}", st.sampled_from(["x", "X", "y"]), DOMAINS)
PATTERNS = ADDRESSES | DOMAINS.filter(lambda each: "." in each) | DOMAINS.map(lambda each: f"*.{each}") | st.just("*")
ARGUMENT = {
    PatternKind.ADDRESS: "addresses",
    PatternKind.DOMAIN: "domains",
    PatternKind.WILDCARD_DOMAIN: "wildcards",
}


def packed(patterns: list[Pattern]) -> dict[str, Any]:
    lists = {name: [each.key for each in patterns if each.kind is kind] for kind, name in ARGUMENT.items()}
    return {**lists, "anybody": any(each.kind is PatternKind.ANY for each in patterns)}


@pytest.mark.fact("F4")
@given(st.lists(PATTERNS, max_size=5), ADDRESSES)
def test_a_set_matches_what_any_of_its_patterns_matches(texts: list[str], address: str) -> None:
    patterns = [Pattern.parse(text) for text in texts]
    assert (address in PatternSet(**packed(patterns))) == any(each.matches(address) for each in patterns)


def test_ten_thousand_addresses_are_matched_as_fast_as_one() -> None:
    many = PatternSet(addresses=[f"user{index}@example.com" for index in range(10_000)])
    started = time.process_time()
    hits = sum(f"user{index}@example.com" in many for index in range(9_500, 10_500))
    assert (hits, time.process_time() - started < 0.5) == (500, True)


def test_the_null_sender_is_external_and_matches_only_the_star() -> None:
    event = inbound("a@example.com", mail_from="", sender=None)
    internal = {"domains": ["example.com"]}
    assert Condition(internal=internal, is_internal=False).is_for_sender(event)
    assert not Condition(senders={"wildcards": ["com"]}).is_for_sender(event)
    assert Condition(senders={"anybody": True}).is_for_sender(event)


@pytest.mark.fact("E3")
@pytest.mark.parametrize(
    ("mail_from", "sender", "is_internal"),
    [
        ("a@example.com", None, True),
        ("a@EXAMPLE.com", "b@example.com", True),
        ("a@example.com", "b@example.net", False),
        ("b@example.net", "a@example.com", False),
        ("b@example.net", None, False),
    ],
)
def test_mail_is_internal_only_if_everybody_who_claims_to_send_it_is(
    mail_from: str, sender: str | None, is_internal: bool
) -> None:
    event = inbound("a@example.com", mail_from=mail_from, sender=sender and {"address": sender})
    condition = Condition(internal={"domains": ["example.com"]}, is_internal=True)
    assert condition.is_for_sender(event) is is_internal


@pytest.mark.fact("E6")
def test_a_condition_on_recipients_holds_for_none_that_the_event_leaves_out() -> None:
    left = ("a@example.com", "b@example.net", REST)
    internal = {"domains": ["example.com"]}
    assert Condition().recipients(left) == left
    assert Condition(recipients={"domains": ["example.net"]}).recipients(left) == ("b@example.net",)
    assert Condition(internal=internal, to_internal=True).recipients(left) == ("a@example.com",)
    assert Condition(internal=internal, to_internal=False).recipients(left) == ("b@example.net",)
    both = Condition(internal=internal, to_internal=False, recipients={"domains": ["example.com"]})
    assert both.recipients(left) == ()
