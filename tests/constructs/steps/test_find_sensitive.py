"""`FindSensitive`: its configuration, its content access, refused arguments."""

from __future__ import annotations

from typing import Any

import pytest

from tests.constructs.stacks import ORGANIZATION_ID, new_rule, new_stack, properties_of, rights_of, warnings_of
from tests.constructs.steps.packed_steps import configuration_of
from workmail_constructs import FallbackAction, Run, WorkMailOrganization
from workmail_constructs.steps.decision import Bounce, Junk
from workmail_constructs.steps.find_sensitive import FindSensitive

CLOSED = Run.synchronous(fallback=FallbackAction.BOUNCE)
OUTBOUND: dict[str, Any] = {"direction": "OUTBOUND", "run": CLOSED, "code": None}
BOUNCE = Bounce("No card numbers by mail.")


def test_what_to_look_for_is_packed() -> None:
    stack = new_stack()
    step = FindSensitive(ibans=False, patterns={"project": "(?i)project x"}, then=BOUNCE, reviewers=["it@example.com"])
    new_rule(stack, **OUTBOUND, steps=[step])
    assert configuration_of(stack) == {
        "cards": True,
        "ibans": False,
        "patterns": {"project": "(?i)project x"},
        "decision": {"action": "BOUNCE", "text": "No card numbers by mail."},
        "tag": None,
        "reviewers": ["it@example.com"],
    }


def test_a_bounce_reads_messages_and_a_tag_updates_them() -> None:
    bounced, tagged = new_stack(), new_stack()
    new_rule(bounced, **OUTBOUND, steps=[FindSensitive(then=BOUNCE)])
    new_rule(tagged, **OUTBOUND, steps=[FindSensitive(tag="[SENSITIVE]")])
    assert [each["Action"] for each in rights_of(bounced)] == ["workmailmessageflow:GetRawMessageContent"]
    assert properties_of(bounced, "AWS::S3::Bucket") == []
    assert len(properties_of(tagged, "AWS::S3::Bucket")) == 1


def test_by_default_it_is_for_outbound_rules_only() -> None:
    with pytest.raises(ValueError, match="steps: found none for inbound mail"):
        new_rule(new_stack(), run=CLOSED, code=None, steps=[FindSensitive(then=BOUNCE)])
    new_rule(new_stack(), run=CLOSED, code=None, steps=[FindSensitive(then=BOUNCE, direction=None)])


def test_synth_warns_of_a_fallback_that_delivers() -> None:
    stack = new_stack()
    new_rule(stack, direction="OUTBOUND", code=None, steps=[FindSensitive(then=BOUNCE)])
    assert [path for path, text in warnings_of(stack) if "WorkMailStepFallback" in text] == ["/Mail/Rule"]


@pytest.mark.fact("R10")
def test_an_asynchronous_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="found FindSensitive, which decides about delivery, on an asynchronous rule"):
        new_rule(
            new_stack(),
            direction="OUTBOUND",
            run=Run.asynchronous(),
            code=None,
            steps=[FindSensitive(reviewers=["it@example.com"])],
        )


@pytest.mark.fact("R6")
def test_a_reviewer_outside_is_refused_inbound() -> None:
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(
        stack, "Organization", ORGANIZATION_ID, domains=["example.com"]
    )
    step = FindSensitive(reviewers=["it@example.net"], direction=None)
    with pytest.raises(ValueError, match=r"reviewers: found it@example\.net with an inbound rule.*R6"):
        new_rule(stack, organization=organization, run=CLOSED, code=None, steps=[step])
    new_rule(stack, "Outbound", organization=organization, **OUTBOUND, steps=[step])


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, "then, tag, reviewers: found none"),
        ({"then": BOUNCE, "tag": "[S]"}, "then, tag: found both"),
        ({"then": Junk()}, r"then: found Junk\(\); give Bounce or Drop"),
        ({"tag": " "}, "tag: found ' '; give one line"),
        ({"tag": "a\nb"}, "tag: found"),
        ({"then": BOUNCE, "cards": False, "ibans": False}, "found nothing to look for"),
        ({"then": BOUNCE, "reviewers": ["example.com"]}, r"reviewers\[0\]: found 'example.com'"),
        ({"then": BOUNCE, "patterns": {"a b": "x"}}, r"patterns\['a b'\]: a name has"),
        ({"then": BOUNCE, "patterns": {"card": "x"}}, r"patterns\['card'\]: a name .* none of card, iban"),
        ({"then": BOUNCE, "patterns": {"p": "x*"}}, r"patterns\['p'\]: found 'x\*', which matches any message"),
        ({"then": BOUNCE, "patterns": {"p": "("}}, r"patterns\['p'\]: found '\(', which is no regular expression"),
        ({"then": BOUNCE, "patterns": {"p": "(a+)+b"}}, r"patterns\['p'\]: found '\(a\+\)\+b', .*catastrophic"),
        ({"tag": "", "patterns": {"p": "("}, "reviewers": ["*"]}, r"(?s)patterns.*reviewers.*tag"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        FindSensitive(**arguments)
