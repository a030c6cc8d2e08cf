"""An organization that is found by its alias when the stack is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Aspects, CfnParameter, Environment, NestedStack, Stack, Stage
from aws_cdk.assertions import Template

from tests.constructs.stacks import (
    ACCOUNT,
    HERE,
    ORGANIZATION_ID,
    errors_of,
    new_function,
    new_rule,
    new_stack,
    only,
    properties_of,
    rights_of,
    warnings_of,
)
from workmail_constructs import EmailFlowRules, FlowDirection, WorkMailOrganization, WorkMailPermissionChecks
from workmail_constructs.declared_rules import from_cloud_assembly
from workmail_constructs.organization_lookup import OrganizationLookup

LOOKUP = "Custom::WorkMailOrganization"
FUNCTION = "AWS::Lambda::Function"


def from_alias(scope: Any, name: str = "Organization", alias: str = "acme", **options: Any) -> WorkMailOrganization:
    return WorkMailOrganization.from_alias(scope, name, alias, **options)


def lookups_of(stack: Stack) -> dict[str, Any]:
    return Template.from_stack(stack).find_resources(LOOKUP)


@pytest.mark.fact("L3", "L8")
def test_the_id_is_what_the_lookup_returns_and_the_rest_follows_from_it() -> None:
    stack = new_stack()
    organization = from_alias(stack)
    ((logical_id, lookup),) = lookups_of(stack).items()
    ((function_id, _),) = Template.from_stack(stack).find_resources(FUNCTION).items()

    assert lookup["Properties"] == {
        "ServiceToken": {"Fn::GetAtt": [function_id, "Arn"]},
        "ServiceTimeout": "600",
        "Alias": "acme",
    }
    assert stack.resolve(organization.organization_id) == {"Ref": logical_id}
    start = "arn:aws:workmail:eu-west-1:111122223333:organization/"
    assert stack.resolve(organization.organization_arn) == {"Fn::Join": ["", [start, {"Ref": logical_id}]]}
    messages = "arn:aws:workmailmessageflow:eu-west-1:111122223333:message/"
    assert stack.resolve(organization.message_arn(FlowDirection.INBOUND)) == {
        "Fn::Join": ["", [messages, {"Ref": logical_id}, "/incoming/*"]]
    }
    assert (organization.region, organization.account, organization.alias) == ("eu-west-1", ACCOUNT, "acme")


@pytest.mark.fact("L8")
def test_the_function_may_list_the_organizations_of_its_region_and_write_its_log() -> None:
    stack = new_stack(env=None)
    from_alias(stack)

    assert rights_of(stack) == [
        {
            "Effect": "Allow",
            "Action": "workmail:ListOrganizations",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}},
        }
    ]
    assert "ManagedPolicyArns" not in only(stack, "AWS::IAM::Role")
    assert only(stack, "AWS::Logs::LogGroup") == {"RetentionInDays": 30}


def test_organizations_of_a_stack_share_the_function_and_those_of_one_alias_the_lookup() -> None:
    stack = new_stack()
    first, second, other = from_alias(stack, "A"), from_alias(stack, "B"), from_alias(stack, "C", "other")

    assert first.organization_id == second.organization_id != other.organization_id
    assert sorted(each["Properties"]["Alias"] for each in lookups_of(stack).values()) == ["acme", "other"]
    only(stack, FUNCTION)


def test_renaming_and_reordering_organizations_changes_no_logical_id() -> None:
    one, another = new_stack(), new_stack()
    for stack, names in ((one, {"First": "acme", "Second": "other"}), (another, {"Renamed": "other", "First": "acme"})):
        for name, alias in names.items():
            from_alias(stack, name, alias)

    assert Template.from_stack(one).to_json() == Template.from_stack(another).to_json()


@pytest.mark.parametrize(
    "alias", ["a", "0", "Acme", "acme-2-de", "d", "do-d", "a" * 62, "Function", "Role", "LogGroup"]
)
@pytest.mark.fact("L8")
def test_an_alias_is_taken(alias: str) -> None:
    stack = new_stack()
    from_alias(stack, alias=alias)

    assert only(stack, LOOKUP)["Alias"] == alias


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "a" * 63,
        "d-0123456789",
        "-acme",
        "acme-",
        "ac--me",
        "ac_me",
        "acme.awsapps.com",
        "acme\n",
        ORGANIZATION_ID + "!",
    ],
)
@pytest.mark.fact("L8")
def test_what_is_no_alias_is_refused_before_anything_is_made(wrong: str) -> None:
    stack = new_stack()
    with pytest.raises(ValueError, match=r"alias: found '.*'; an alias is 1 to 62 letters, digits and single hyphens"):
        from_alias(stack, alias=wrong)
    assert stack.node.children == []


@pytest.mark.parametrize(
    ("domains", "error"), [("example.com", TypeError), ([f"d{index}.example" for index in range(1_001)], ValueError)]
)
def test_wrong_domains_are_refused_before_anything_is_made(domains: Any, error: type[Exception]) -> None:
    stack = new_stack()
    with pytest.raises(error, match="domains: found"):
        from_alias(stack, domains=domains)
    assert stack.node.children == []


def test_tokens_are_taken_and_told_apart() -> None:
    stack = new_stack(env=None)
    parameters = [CfnParameter(stack, name).value_as_string for name in ("One", "Two")]
    for index, alias in enumerate([*parameters, *parameters]):
        from_alias(stack, f"Organization{index}", alias)

    aliases = [each["Properties"]["Alias"] for each in lookups_of(stack).values()]
    assert aliases == [{"Ref": "One"}, {"Ref": "Two"}]


@pytest.mark.fact("L1")
def test_a_region_without_workmail_is_an_error() -> None:
    stack = new_stack(Environment(region="eu-central-1", account=ACCOUNT))
    from_alias(stack)

    ((path, text),) = errors_of(stack)
    assert path == "/Mail/WorkMailOrganizationLookup"
    assert "found an organization to look up in eu-central-1; allowed: eu-west-1, us-east-1, us-west-2" in text


@pytest.mark.parametrize("env", [HERE, None])
def test_a_rule_in_another_stack_refers_to_it_in_one_direction(env: Environment | None) -> None:
    app = App()
    shared, user = Stack(app, "Shared", env=env), Stack(app, "User", env=env)
    organization = from_alias(shared)
    new_rule(user, organization=organization)
    new_rule(shared, organization=organization, senders=["example.com"])

    app.synth()
    assert user.dependencies == [shared]
    assert shared.dependencies == []
    assert properties_of(user, LOOKUP) == []
    assert "Fn::ImportValue" in str(only(user, "AWS::Lambda::Permission")["SourceArn"])


def test_the_permission_checks_take_an_organization_of_another_stack() -> None:
    app = App()
    Aspects.of(app).add(WorkMailPermissionChecks())
    shared, user = Stack(app, "Shared"), Stack(app, "User")
    new_rule(user, organization=from_alias(shared))

    app.synth()
    assert (errors_of(shared), errors_of(user)) == ([], [])


def test_a_nested_stack_uses_the_organization_of_its_parent_or_looks_it_up_itself() -> None:
    outer = new_stack()
    inner = NestedStack(outer, "Inner")
    organization = from_alias(outer)
    new_rule(inner, "Passed", organization=organization)
    new_rule(inner, "Own", organization=from_alias(inner), senders=["example.com"])

    only(outer, LOOKUP)
    only(inner, LOOKUP)
    assert errors_of(outer) == []


def test_stages_look_up_their_own() -> None:
    app = App()
    stacks = [Stack(Stage(app, name), "Mail", env=HERE) for name in ("Test", "Live")]
    for stack in stacks:
        new_rule(stack, organization=from_alias(stack))

    app.synth()
    assert [only(stack, LOOKUP)["Alias"] for stack in stacks] == ["acme", "acme"]


def test_its_parts_are_within_reach() -> None:
    stack = new_stack()
    from_alias(stack)
    lookup = OrganizationLookup.of(stack)

    assert lookup.function.role is lookup.role
    assert lookup.node.path == "Mail/WorkMailOrganizationLookup"
    assert lookup.log_group.node.path == "Mail/WorkMailOrganizationLookup/LogGroup"


def declare(stack: Stack, organization: WorkMailOrganization, rule: str) -> None:
    EmailFlowRules.of(stack).drop(
        rule, direction=FlowDirection.INBOUND, senders=["example.com"], destinations=["*"], organization=organization
    )


@pytest.mark.fact("F1")
def test_one_alias_in_several_stacks_is_one_organization() -> None:
    app = App()
    stacks = [Stack(app, name, env=HERE) for name in ("One", "Two")]
    for stack in stacks:
        declare(stack, from_alias(stack), "Same name")

    assembly = app.synth()

    for stack in stacks:
        ((_, text),) = errors_of(stack)
        assert "2 rules have the name 'Same name'" in text
        runbook = Path(assembly.directory, f"{stack.artifact_id}.email-flow-rules.md").read_text()
        assert runbook.count("# Email flow rules of organization `acme`") == 1


@pytest.mark.parametrize(
    ("alias", "env"),
    [("other", HERE), ("acme", Environment(region="us-east-1", account=ACCOUNT))],
    ids=["another alias", "another Region"],
)
def test_another_alias_or_region_is_another_organization(alias: str, env: Environment) -> None:
    app = App()
    one, two = Stack(app, "One", env=HERE), Stack(app, "Two", env=env)
    declare(one, from_alias(one), "Same name")
    declare(two, from_alias(two, alias=alias), "Same name")

    app.synth()
    assert (errors_of(one), errors_of(two)) == ([], [])


def test_an_app_names_the_organization_by_its_alias_wherever_its_rules_are() -> None:
    app = App()
    shared = Stack(app, "Shared")
    organization = from_alias(shared, domains=["example.com"])
    user, alone = Stack(app, "User"), Stack(app, "Alone")
    for scope, of in (
        (shared, organization),
        (user, organization),
        (NestedStack(shared, "Inner"), organization),
        (alone, from_alias(alone)),
    ):
        declare(Stack.of(scope), of, f"Rule of {scope.node.id}")

    (declared,) = from_cloud_assembly(Path(app.synth().directory))

    assert declared.organization_id == "acme"
    assert sorted(rule.name for rule in declared.rules) == [
        "Rule of Alone",
        "Rule of Inner",
        "Rule of Shared",
        "Rule of User",
    ]


def test_rules_of_an_organization_by_alias_warn_of_nothing() -> None:
    stack = new_stack()
    new_rule(stack, organization=from_alias(stack), function=new_function(stack))

    assert (errors_of(stack), warnings_of(stack)) == ([], [])
