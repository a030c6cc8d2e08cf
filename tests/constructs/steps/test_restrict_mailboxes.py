"""`RestrictMailboxes`: its configuration, its rights, its warnings."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import CfnParameter, Duration

from tests.constructs.stacks import ORGANIZATION_ARN, ORGANIZATION_ID, new_rule, new_stack, rights_of, warnings_of
from tests.constructs.steps.packed_steps import configuration_of
from workmail_constructs import FallbackAction, Run, WorkMailOrganization
from workmail_constructs.steps.decision import Bounce, Drop, Junk
from workmail_constructs.steps.restrict_mailboxes import RestrictMailboxes

CLOSED = Run.synchronous(fallback=FallbackAction.BOUNCE)


def test_group_domains_and_reports_are_packed() -> None:
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(
        stack, "Organization", ORGANIZATION_ID, domains=["Example.com", "bücher.example"]
    )
    step = RestrictMailboxes(
        "Interns@Example.com", then=Bounce("No."), report_to=["it@example.com"], max_age=Duration.minutes(2)
    )
    new_rule(stack, organization=organization, run=CLOSED, code=None, steps=[step])
    assert configuration_of(stack) == {
        "organization_id": ORGANIZATION_ID,
        "group": "interns@example.com",
        "domains": ["example.com", "xn--bcher-kva.example"],
        "max_age_s": 120,
        "report_to": ["it@example.com"],
        "action": "BOUNCE",
        "text": "No.",
    }


@pytest.mark.fact("D2")
@pytest.mark.parametrize(
    ("domains", "actions"),
    [
        (["example.com"], ["DescribeEntity", "ListAliases", "ListGroupMembers"]),
        ([], ["DescribeEntity", "ListAliases", "ListGroupMembers", "ListMailDomains"]),
    ],
)
def test_the_function_may_read_this_organizations_directory_only(domains: list[str], actions: list[str]) -> None:
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID, domains=domains)
    new_rule(stack, organization=organization, run=CLOSED, code=None, steps=[RestrictMailboxes("i@example.com")])
    assert rights_of(stack) == [
        {"Action": [f"workmail:{each}" for each in actions], "Effect": "Allow", "Resource": ORGANIZATION_ARN}
    ]


def test_an_organization_known_at_deployment_comes_through_the_environment() -> None:
    stack = new_stack(env=None)
    parameter = CfnParameter(stack, "OrganizationId")
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", parameter.value_as_string)
    new_rule(stack, organization=organization, run=CLOSED, code=None, steps=[RestrictMailboxes("i@example.com")])
    assert list(configuration_of(stack)["organization_id"]) == ["$environment"]


def test_synth_warns_of_a_fallback_that_delivers() -> None:
    stack = new_stack()
    new_rule(stack, "Open", code=None, steps=[RestrictMailboxes("i@example.com")])
    new_rule(stack, "Closed", run=CLOSED, code=None, steps=[RestrictMailboxes("i@example.com")])
    warned = [path for path, text in warnings_of(stack) if "WorkMailStepFallback" in text]
    assert warned == ["/Mail/Open"]


@pytest.mark.fact("R6")
def test_a_report_that_would_leave_the_organization_is_refused_inbound() -> None:
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(
        stack, "Organization", ORGANIZATION_ID, domains=["example.com"]
    )
    arguments: dict[str, Any] = {"organization": organization, "run": CLOSED, "code": None}
    steps = [RestrictMailboxes("i@example.com", report_to=["it@example.net"])]
    with pytest.raises(ValueError, match=r"report_to: found it@example\.net with an inbound rule.*R6"):
        new_rule(stack, **arguments, steps=steps)
    new_rule(stack, "Outbound", **arguments, direction="OUTBOUND", steps=steps)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"group": "example.com"}, r"group\[0\]: found 'example.com'; give one address"),
        ({"group": "i@example.com", "report_to": ["*"]}, r"report_to\[0\]: found '\*'; give one address"),
        ({"group": "i@example.com", "then": Junk()}, r"then: found Junk\(\)"),
        ({"group": "i@example.com", "max_age": Duration.seconds(0)}, "max_age: found 0 seconds"),
        ({"group": "*", "then": Junk()}, r"(?s)group\[0\]: .*then: "),
    ],
)
def test_what_cannot_be_a_restriction_is_refused(arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        RestrictMailboxes(**arguments)


def test_refused_mail_may_be_dropped() -> None:
    RestrictMailboxes("i@example.com", then=Drop())
