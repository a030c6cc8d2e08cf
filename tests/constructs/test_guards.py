"""What synth refuses, all of it together, and what the template refuses before anything is deployed."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import App, CfnRule, Duration, Environment, NestedStack, Stack, Stage
from aws_cdk.assertions import Template

from tests.constructs.stacks import ACCOUNT, HERE, ORGANIZATION_ARN, ORGANIZATION_ID, errors_of, new_rule, new_stack
from workmail_constructs import WorkMailOrganization

REGIONS = ["eu-west-1", "us-east-1", "us-west-2"]


def rules_of(stack: Stack) -> dict[str, Any]:
    """Return the rules that CloudFormation asserts, without CDK's own."""
    rules: dict[str, Any] = Template.from_stack(stack).to_json().get("Rules", {})
    return {name: rule for name, rule in rules.items() if name != "CheckBootstrapVersion"}


def assertions_of(stack: Stack) -> list[list[dict[str, Any]]]:
    """Return what each of these rules asserts."""
    return [rule["Assertions"] for rule in rules_of(stack).values()]


@pytest.mark.fact("L1")
@pytest.mark.parametrize("region", REGIONS)
def test_workmails_regions_are_right(region: str) -> None:
    stack = new_stack(Environment(region=region, account=ACCOUNT))
    new_rule(stack)

    assert errors_of(stack) == []
    assert rules_of(stack) == {}


@pytest.mark.fact("L1")
@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_any_other_region_is_an_error_once_per_stack(region: str) -> None:
    stack = new_stack(Environment(region=region, account=ACCOUNT))
    rule = new_rule(stack)
    new_rule(stack, "Other", organization=rule.organization, senders=["other.example"])

    ((path, text),) = errors_of(stack)
    assert path == "/Mail"
    assert f"found a stack for WorkMail in {region}; allowed: {', '.join(REGIONS)}" in text
    assert "give the stack env=Environment(region=" in text


@pytest.mark.fact("L1")
def test_a_stack_without_environment_is_refused_elsewhere_before_anything_is_made() -> None:
    stack = new_stack(env=None)
    rule = new_rule(stack)
    new_rule(stack, "Other", organization=rule.organization, senders=["other.example"])

    ((assertion,),) = assertions_of(stack)
    assert assertion["Assert"] == {"Fn::Contains": [REGIONS, {"Ref": "AWS::Region"}]}
    assert "WorkMail exists in eu-west-1, us-east-1, us-west-2 only" in assertion["AssertDescription"]
    assert errors_of(stack) == []


def test_a_nested_stacks_region_is_asserted_by_the_stack_around_it() -> None:
    outer = new_stack(env=None)
    inner = NestedStack(NestedStack(outer, "Middle"), "Inner")
    new_rule(inner)

    ((assertion,),) = assertions_of(outer)
    assert "WorkMail exists in" in assertion["AssertDescription"]
    assert rules_of(inner) == {}


def test_each_stack_of_a_stage_is_guarded() -> None:
    stage = Stage(App(), "Prod", env=Environment(region="eu-north-1", account=ACCOUNT))
    stacks = [Stack(stage, name) for name in ("One", "Two")]
    for stack in stacks:
        new_rule(stack)

    assert [errors_of(stack)[0][0] for stack in stacks] == ["/Prod/One", "/Prod/Two"]


@pytest.mark.fact("L2")
def test_an_organization_of_another_region_or_account_is_an_error() -> None:
    stack = new_stack(Environment(region="us-east-1", account="444455556666"))
    new_rule(stack, organization=WorkMailOrganization.from_organization_arn(stack, "Org", ORGANIZATION_ARN))

    region, account = errors_of(stack)
    assert region[0] == account[0] == "/Mail/Rule"
    found = f"found organization {ORGANIZATION_ID} of"
    assert f"{found} Region eu-west-1 in a stack of Region us-east-1; allowed:" in region[1]
    assert f"{found} account 111122223333 in a stack of account 444455556666; allowed:" in account[1]


@pytest.mark.fact("L2")
def test_a_stack_without_environment_is_refused_where_its_organization_is_not() -> None:
    stack = new_stack(env=None)
    organization = WorkMailOrganization.from_organization_arn(stack, "Org", ORGANIZATION_ARN)
    new_rule(stack, organization=organization)
    new_rule(stack, "Other", organization=organization)

    conditions = [assertion["Assert"] for (assertion,) in assertions_of(stack)]
    assert {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]} in conditions
    assert {"Fn::Equals": [{"Ref": "AWS::AccountId"}, ACCOUNT]} in conditions
    assert len(conditions) == 3


@pytest.mark.fact("L2")
def test_organizations_of_two_places_in_a_stack_that_can_only_be_in_one_are_an_error() -> None:
    stack = new_stack(env=None)
    other_id = "m-fedcba9876543210fedcba9876543210"
    other_arn = f"arn:aws:workmail:us-east-1:444455556666:organization/{other_id}"
    one = WorkMailOrganization.from_organization_arn(stack, "One", ORGANIZATION_ARN)
    other = WorkMailOrganization.from_organization_arn(stack, "Other", other_arn)
    new_rule(NestedStack(stack, "Nested"), "First", organization=one)
    new_rule(stack, "Second", organization=other)
    new_rule(stack, "Third", organization=one, senders=["third.example"])

    region, account = errors_of(stack)
    assert region[0] == account[0] == "/Mail/Second"
    for text, what, here in ((region[1], "Region us-east-1", "Region eu-west-1"), (account[1], "account 4444", "1111")):
        assert f"found organization {other_id} of {what}" in text
        assert f"in one stack with organization {ORGANIZATION_ID} of" in text
        assert here in text
        assert "which Mail/Nested/First needs; allowed: one" in text
        assert "put each into a stack of its own with env=Environment(region=" in text
    assert len(rules_of(stack)) == 3


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("id", ["WorkMailRegion", "WorkMailRegioneu-west-1", "EmailFlowRules"])
def test_users_may_call_their_own_constructs_as_ours_are_called(id: str, ours_first: bool) -> None:  # noqa: A002
    stack = new_stack(env=None)
    make = [
        lambda: new_rule(
            stack, organization=WorkMailOrganization.from_organization_arn(stack, "Org", ORGANIZATION_ARN)
        ),
        lambda: CfnRule(stack, id, assertions=[]),
    ]
    for one in make if ours_first else reversed(make):
        one()

    assert len(rules_of(stack)) == 4


def test_an_organization_may_be_named_in_another_stack_of_the_same_place() -> None:
    app = App()
    shared, mail = Stack(app, "Shared", env=HERE), Stack(app, "Mail", env=HERE)
    new_rule(mail, organization=WorkMailOrganization.from_organization_id(shared, "Org", ORGANIZATION_ID))

    assert errors_of(mail) == []


@pytest.mark.fact("T1")
@pytest.mark.parametrize(("seconds", "errors"), [(14, 0), (15, 1), (900, 1)])
def test_a_synchronous_function_has_less_than_15_seconds(seconds: int, errors: int) -> None:
    stack = new_stack()
    new_rule(stack, timeout=Duration.seconds(seconds))

    assert len(errors_of(stack)) == errors


def test_all_problems_of_a_synth_are_reported_together() -> None:
    app = App()
    wrong_region = Stack(app, "WrongRegion", env=Environment(region="eu-central-1", account=ACCOUNT))
    slow = Stack(app, "Slow", env=HERE)
    new_rule(wrong_region, timeout=Duration.seconds(20))
    new_rule(slow, "Slow", timeout=Duration.seconds(30), senders=["slow.example"])

    assembly = app.synth()
    messages = [(message.id, str(message.entry.data)) for stack in assembly.stacks for message in stack.messages]
    assert sorted(path for path, _ in messages) == ["/Slow/Slow", "/WrongRegion", "/WrongRegion/Rule"]
    assert all("found " in text and "allowed: " in text for _, text in messages)
