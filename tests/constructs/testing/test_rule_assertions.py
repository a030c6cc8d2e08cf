"""The assertion on declared rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.constructs.stacks import new_rule, new_stack
from workmail_constructs import EmailFlowRules, FallbackAction, FlowDirection, Run
from workmail_constructs.testing import assert_rule_declared
from workmail_flow.vocabulary import RuleAction


@pytest.mark.fact("F1", "L7")
def test_it_holds_for_rules_with_and_without_function() -> None:
    stack = new_stack()
    rule = new_rule(stack, senders=["example.com", "a@example.net"])
    EmailFlowRules.of(stack).move_to_junk(
        "Newsletters", organization=rule.organization, senders=["n.example"], destinations=["*"]
    )

    assert_rule_declared(stack, "Rule")
    assert_rule_declared(
        stack,
        "Rule",
        direction=FlowDirection.INBOUND,
        action=RuleAction.RUN_LAMBDA,
        senders=["example.com", "a@example.net"],
        destinations=["*"],
        synchronous=True,
        fallback=FallbackAction.DEFAULT,
        rule_timeout_minutes=30,
    )
    assert_rule_declared(stack, "Newsletters", action=RuleAction.MOVE_TO_JUNK, senders=["n.example"])


@pytest.mark.parametrize(
    ("field", "other", "found"),
    [
        ("direction", FlowDirection.OUTBOUND, "direction: found INBOUND, needed OUTBOUND"),
        ("action", RuleAction.DROP, "action: found RUN_LAMBDA, needed DROP"),
        ("senders", ["example.org"], r"senders: found \['\*'\], needed \['example.org'\]"),
        ("destinations", [], "destinations: found"),
        ("synchronous", True, "synchronous: found False, needed True"),
        ("fallback", FallbackAction.DROP, "fallback: found None, needed DROP"),
        ("rule_timeout_minutes", 0, "rule_timeout_minutes: found None, needed 0"),
    ],
)
def test_a_field_that_differs_is_named(field: str, other: Any, found: str) -> None:
    stack = new_stack()
    new_rule(stack, run=Run.asynchronous())
    expected: Any = {field: other}
    with pytest.raises(AssertionError, match=found):
        assert_rule_declared(stack, "Rule", **expected)


def test_all_that_differ_are_named_together() -> None:
    stack = new_stack()
    new_rule(stack)
    with pytest.raises(AssertionError, match=r"direction: found(.|\n)*synchronous: found(.|\n)*what to do"):
        assert_rule_declared(stack, "Rule", direction=FlowDirection.OUTBOUND, synchronous=False)


def test_a_rule_that_is_missing_is_named_beside_those_that_are_there() -> None:
    stack = new_stack()
    with pytest.raises(AssertionError, match="found: no rule"):
        assert_rule_declared(stack, "Rule")
    other = new_stack()
    new_rule(other)
    with pytest.raises(AssertionError, match=r"does not declare the email flow rule 'Disclaimer'\n  found: 'Rule'"):
        assert_rule_declared(other, "Disclaimer")


def test_an_unknown_field_is_refused() -> None:
    expected: Any = {"sender": "*"}
    with pytest.raises(TypeError, match="sender: unknown field of a rule; allowed are direction, action"):
        assert_rule_declared({}, "Rule", **expected)
