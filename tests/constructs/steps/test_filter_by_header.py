"""`FilterByHeader` in a rule: what it packs and grants, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.constructs.stacks import new_stack, rights_of
from tests.constructs.steps.rules import configuration_of, new_rule_of
from workmail_constructs import FlowDirection, Run
from workmail_constructs.steps.decision import Bounce, BypassSpamCheck, Deliver, Drop, Junk
from workmail_constructs.steps.filter_by_header import FilterByHeader
from workmail_constructs.steps.step import OnFailure

DEFAULTS = {
    "header": "X-Spam",
    "pattern": "YES",
    "authserv_id": None,
    "matched": {"action": "MOVE_TO_JUNK"},
    "otherwise": {"action": "BYPASS_SPAM_CHECK"},
    "missing": {"action": "BYPASS_SPAM_CHECK"},
}


def test_matching_mail_is_junk_and_other_mail_is_not_checked_again() -> None:
    step = FilterByHeader("X-Spam", "YES")
    assert configuration_of(new_stack(), step) == DEFAULTS
    assert (step.name, step.on_failure, step.guards) == ("FilterByHeader", OnFailure.GO_ON, False)


def test_each_case_has_its_decision() -> None:
    step = FilterByHeader("X-Spam", "YES", matched=Bounce("No."), otherwise=None, missing=Deliver(), name="Gateway")
    assert configuration_of(new_stack(), step) == {
        **DEFAULTS,
        "matched": {"action": "BOUNCE", "text": "No."},
        "otherwise": None,
        "missing": {"action": "DEFAULT"},
    }


def test_it_may_read_content_and_no_more() -> None:
    stack = new_stack()
    new_rule_of(stack, FilterByHeader("X-Spam", "YES"))
    (statement,) = rights_of(stack)
    assert statement["Action"] == "workmailmessageflow:GetRawMessageContent"


@pytest.mark.fact("R2")
@pytest.mark.parametrize("decision", [Junk(), BypassSpamCheck()])
@pytest.mark.parametrize("case", ["matched", "otherwise", "missing"])
def test_what_outbound_mail_does_not_have_is_refused_there(decision: Any, case: str) -> None:
    both_ways = {"matched": Drop(), "otherwise": None, "missing": None}
    new_rule_of(new_stack(), FilterByHeader("X-Spam", "YES", **both_ways), direction=FlowDirection.OUTBOUND)
    step = FilterByHeader("X-Spam", "YES", **{**both_ways, case: decision})
    with pytest.raises(ValueError, match="found FilterByHeader with an action that outbound mail does not have"):
        new_rule_of(new_stack(), step, direction=FlowDirection.OUTBOUND)


@pytest.mark.fact("R10")
def test_it_decides_so_an_asynchronous_rule_cannot_have_it() -> None:
    with pytest.raises(ValueError, match="found FilterByHeader, which decides about delivery, on an asynchronous rule"):
        new_rule_of(new_stack(), FilterByHeader("X-Spam", "YES"), run=Run.asynchronous())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"header": "X Spam"}, "^header: found 'X Spam', which is no name of a header"),
        ({"header": "X-Spam:"}, "^header: found 'X-Spam:'"),
        ({"pattern": "(a+)+$"}, "^pattern: found .*catastrophic backtracking"),
        ({"header": "authentication-results"}, "^authserv_id: found None for Authentication-Results"),
        ({"header": "Authentication-Results", "authserv_id": "a;b"}, "^authserv_id: found 'a;b'"),
        ({"authserv_id": "mx.example.com"}, "^authserv_id: found beside X-Spam; only Authentication-Results has one"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        FilterByHeader(**{"header": "X-Spam", "pattern": "YES", **arguments})


def test_a_decision_is_one_of_those_there_are() -> None:
    decision: Any = "JUNK"
    with pytest.raises(TypeError, match=r"^matched: found 'JUNK'; give Bounce\(text\), Drop\(\)"):
        FilterByHeader("X-Spam", "YES", matched=decision)
