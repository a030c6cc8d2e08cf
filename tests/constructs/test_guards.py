"""What synth refuses, all of it together, and what the template refuses before anything is deployed."""

from __future__ import annotations

import pytest
from aws_cdk import App, Duration, Environment, NestedStack, Stack, Stage
from aws_cdk.assertions import Template

from tests.constructs.stacks import ACCOUNT, HERE, ORGANIZATION_ARN, ORGANIZATION_ID, errors_of, new_rule, new_stack
from workmail_constructs import WorkMailOrganization

REGIONS = ["eu-west-1", "us-east-1", "us-west-2"]


def rules_of(stack: Stack) -> dict[str, object]:
    """Return the rules that CloudFormation asserts, without CDK's own."""
    rules = Template.from_stack(stack).to_json().get("Rules", {})
    return {name: rule for name, rule in rules.items() if name != "CheckBootstrapVersion"}


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
    assert f"found a stack with Run Lambda rules in {region}; allowed: {', '.join(REGIONS)}" in text
    assert "give the stack env=Environment(region=" in text


@pytest.mark.fact("L1")
def test_a_stack_without_environment_is_refused_elsewhere_before_anything_is_made() -> None:
    stack = new_stack(env=None)
    rule = new_rule(stack)
    new_rule(stack, "Other", organization=rule.organization, senders=["other.example"])

    (assertion,) = rules_of(stack).pop("WorkMailRegion")["Assertions"]  # type: ignore[index]
    assert assertion["Assert"] == {"Fn::Contains": [REGIONS, {"Ref": "AWS::Region"}]}
    assert "WorkMail exists in eu-west-1, us-east-1, us-west-2 only" in assertion["AssertDescription"]
    assert errors_of(stack) == []


def test_a_nested_stacks_region_is_asserted_by_the_stack_around_it() -> None:
    outer = new_stack(env=None)
    inner = NestedStack(NestedStack(outer, "Middle"), "Inner")
    new_rule(inner)

    assert list(rules_of(outer)) == ["WorkMailRegion"]
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
    assert "found an organization of Region eu-west-1 in a stack of Region us-east-1; allowed:" in region[1]
    assert "found an organization of account 111122223333 in a stack of account 444455556666; allowed:" in account[1]


@pytest.mark.fact("L2")
def test_a_stack_without_environment_is_refused_where_its_organization_is_not() -> None:
    stack = new_stack(env=None)
    organization = WorkMailOrganization.from_organization_arn(stack, "Org", ORGANIZATION_ARN)
    new_rule(stack, organization=organization)
    new_rule(stack, "Other", organization=organization)

    conditions = [rule["Assertions"][0]["Assert"] for rule in rules_of(stack).values()]  # type: ignore[index]
    assert {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]} in conditions
    assert {"Fn::Equals": [{"Ref": "AWS::AccountId"}, ACCOUNT]} in conditions
    assert len(conditions) == 3


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
