"""Which resources a change of an app makes, removes or replaces: those that it has to, and no other one."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration, NestedStack, RemovalPolicy, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_ec2 import SecurityGroup, SubnetSelection, SubnetType, Vpc
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Architecture, Runtime, SnapStartConf
from aws_cdk.aws_logs import RetentionDays
from aws_cdk.aws_s3 import Bucket
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from constructs import Construct

from tests.constructs.stacks import HERE, ORGANIZATION_ID, REGION, changes, new_function, new_rule, new_stack, readable
from tests.constructs.test_function_options import NEEDED, OF_NETWORKS, PASSED
from workmail_constructs import Powertools, RuleCode, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.rule_function import FunctionOptions
from workmail_constructs.steps.banner import Banner

if TYPE_CHECKING:
    from collections.abc import Callable

ASYNCHRONOUS = {"run": Run.asynchronous()}
UPDATING = {"content_access": "UPDATE"}


def replaced_by(resource_type: str) -> set[str]:
    """Return the properties of a type whose change makes CloudFormation replace the resource."""
    if resource_type.startswith("Custom::"):
        return {"ServiceToken"}
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    return {path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", ())}


def identities(stack: Stack) -> dict[str, Any]:
    """Return by logical id what makes a resource or an output of a stack another one."""
    template = Template.from_stack(stack).to_json()
    found: dict[str, Any] = dict.fromkeys(template.get("Outputs", {}), "output")
    for name, resource in template.get("Resources", {}).items():
        properties, fixed = resource.get("Properties", {}), replaced_by(resource["Type"])
        found[name] = (resource["Type"], {key: value for key, value in properties.items() if key in fixed})
    return found


def added(*names: str) -> set[str]:
    return {f"+{name}" for name in names}


def removed(*names: str) -> set[str]:
    return {f"-{name}" for name in names}


BUCKET = ("RuleMessageBucket", "RuleMessageBucketPolicy")
QUEUE = ("RuleOnFailure", "RuleOnFailurePolicy", "RuleFunctionEventInvokeConfig")
FUNCTION = ("RuleFunction", "RuleRole", "RuleRoleDefaultPolicy", "RuleLogGroup")
GROUP = ("RuleFunctionSecurityGroup",)
PROVIDER = "CustomS3AutoDeleteObjectsCustomResourceProvider"
REMOVED = {**UPDATING, "message_bucket_removal_policy": RemovalPolicy.DESTROY}
PRIVATE = SubnetSelection(subnet_type=SubnetType.PRIVATE_WITH_EGRESS)

# By argument: what the rule is given besides, how the argument is made, and what giving it does. A change that updates
# in place has an empty set.
CHANGES: dict[str, tuple[dict[str, Any], Callable[[Stack], Any], set[str]]] = {
    # CDK's own options, except for those below.
    **{option: (NEEDED.get(option, {}), make, set()) for option, (make, _) in PASSED.items()},
    "organization": (
        {},
        lambda stack: WorkMailOrganization.from_organization_id(stack, "Other", "m-" + "0" * 32),
        {"~RuleInvokePermission"},
    ),
    "direction": (UPDATING, lambda _: "OUTBOUND", set()),
    "run": ({}, lambda _: Run.asynchronous(), added(*QUEUE)),
    "code": ({}, lambda _: RuleCode.from_folder("examples/edit_message/handler"), set()),
    "steps": ({}, lambda _: [Banner("Take care.")], added(*BUCKET)),
    # The function is another one, and so is its ARN.
    "function": (
        {},
        new_function,
        removed(*FUNCTION, "RuleInvokePermission") | added("ExistingWorkMailInvokePermission369B26FC"),
    ),
    "content_access": ({}, lambda _: "UPDATE", added(*BUCKET)),
    "senders": ({}, lambda _: ["a.example"], set()),
    "destinations": (ASYNCHRONOUS, lambda _: ["a.example"], set()),
    "name": ({}, lambda _: "Another name", set()),
    "description": ({}, lambda _: "Says hello", set()),
    "owner": ({}, lambda _: "Ann", set()),
    "acknowledge": ({}, lambda _: {"never-decides": "on purpose"}, set()),
    "message_bucket": (UPDATING, lambda stack: Bucket(stack, "Bucket"), removed(*BUCKET) | added("BucketPolicy")),
    "message_key": (UPDATING, lambda stack: Key(stack, "Key"), set()),
    "message_bucket_removal_policy": (UPDATING, lambda _: RemovalPolicy.DESTROY, set()),
    "message_bucket_auto_delete_objects": (
        REMOVED,
        lambda _: True,
        added("RuleMessageBucketAutoDeleteObjectsCustomResource", f"{PROVIDER}Handler", f"{PROVIDER}Role"),
    ),
    # The permission is for the alias alone.
    "alias": ({}, lambda _: "live", added("RuleAlias", "RuleFunctionCurrentVersion") | {"~RuleInvokePermission"}),
    "architecture": ({}, lambda _: Architecture.X86_64, set()),
    "environment": ({}, lambda _: {"A": "1"}, set()),
    "function_name": ({}, lambda _: "mail-rule", {"~RuleFunction"}),
    "log_encryption_key": ({}, lambda stack: Key(stack, "Key"), set()),
    "log_removal_policy": ({}, lambda _: RemovalPolicy.DESTROY, set()),
    "log_retention": ({}, lambda _: RetentionDays.ONE_DAY, set()),
    "max_event_age": (ASYNCHRONOUS, lambda _: Duration.hours(1), set()),
    "memory_size": ({}, lambda _: 512, set()),
    "metrics": ({}, lambda _: False, set()),
    "powertools": ({}, lambda _: Powertools(service="mail"), set()),
    "retry_attempts": (ASYNCHRONOUS, lambda _: 0, set()),
    "role": (
        {},
        lambda stack: Role(stack, "Given", assumed_by=ServicePrincipal("lambda.amazonaws.com")),
        removed("RuleRole", "RuleRoleDefaultPolicy") | added("GivenDefaultPolicy"),
    ),
    "runtime": ({}, lambda _: Runtime.PYTHON_3_12, set()),
    # A version is never changed, so a snapshot is of another one.
    "snap_start": (
        {"alias": "live"},
        lambda _: SnapStartConf.ON_PUBLISHED_VERSIONS,
        removed("RuleFunctionCurrentVersion") | added("RuleFunctionCurrentVersion"),
    ),
    "timeout": ({}, lambda _: Duration.seconds(5), set()),
    "vpc": ({}, lambda stack: Vpc(stack, "Vpc"), added(*GROUP)),
}


def rule_with(argument: str, *, given: bool) -> dict[str, Any]:
    """Return the identities of a stack whose rule is given the argument or not; what the user brings is there."""
    besides, make, _ = CHANGES[argument]
    stack = new_stack()
    value = make(stack)
    new_rule(stack, **besides, **({argument: value} if given else {}))
    return identities(stack)


@pytest.mark.parametrize("argument", CHANGES)
def test_an_argument_changes_what_it_has_to_and_nothing_else(argument: str) -> None:
    _, _, expected = CHANGES[argument]
    assert changes(rule_with(argument, given=False), rule_with(argument, given=True)) == expected


@pytest.mark.parametrize("option", [*OF_NETWORKS, "security_groups", "vpc_subnets"])
def test_an_option_of_networks_moves_only_the_security_group(option: str) -> None:
    def build(given: bool) -> dict[str, Any]:
        stack = new_stack()
        vpc = Vpc(stack, "Vpc")
        group = SecurityGroup(stack, "Group", vpc=vpc)
        values = {**OF_NETWORKS, "security_groups": [group], "vpc_subnets": PRIVATE}
        new_rule(stack, vpc=vpc, **({option: values[option]} if given else {}))
        return identities(stack)

    expected = {"security_groups": removed(*GROUP)}
    assert changes(build(False), build(True)) == expected.get(option, set())


def test_every_argument_is_tried() -> None:
    own = signature(RunLambdaRule.__init__).parameters.keys() - {"self", "scope", "id", "function_options"}
    assert (
        CHANGES.keys() | {*OF_NETWORKS, "security_groups", "vpc_subnets"}
        == own | FunctionOptions.__annotations__.keys()
    )


# An app's rules.

KINDS: dict[str, dict[str, Any]] = {
    "Plain": {},
    "Updating": UPDATING,
    "Asynchronous": ASYNCHRONOUS,
    "Named": {"alias": "live", **UPDATING},
}


def app_of(*names: str, within: Callable[[Stack], Construct] = lambda stack: stack, **renamed: str) -> dict[str, Any]:
    """Return the identities of a stack with rules of these kinds, some under another construct id."""
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    scope = within(stack)
    for name in names:
        senders = [f"{name}.example".lower()]
        new_rule(scope, renamed.get(name, name), organization=organization, senders=senders, **KINDS[name])
    return identities(stack)


@pytest.mark.parametrize("name", KINDS)
def test_a_rule_that_is_added_or_removed_brings_or_takes_only_its_own(name: str) -> None:
    whole, without = app_of(*KINDS), app_of(*(other for other in KINDS if other != name))

    changed = changes(without, whole)
    assert changed
    assert {each for each in changed if not each.startswith(f"+{name}")} == set()


def test_rules_may_be_reordered() -> None:
    assert app_of(*KINDS) == app_of(*reversed(KINDS))


@pytest.mark.parametrize("name", KINDS)
def test_a_construct_that_is_renamed_is_made_anew_and_nothing_else(name: str) -> None:
    before, after = app_of(*KINDS), app_of(*KINDS, **{name: "Renamed"})

    changed = changes(before, after)
    own = [each.removeprefix("-") for each in changed if each.startswith("-")]
    assert own
    assert changed == removed(*own) | added(*(each.replace(name, "Renamed", 1) for each in own))


def test_a_rule_that_is_moved_into_a_construct_is_made_anew() -> None:
    before, after = app_of("Updating"), app_of("Updating", within=lambda stack: Construct(stack, "Mail"))

    assert before.keys().isdisjoint(after)
    assert {readable(name).removeprefix("Mail") for name in after} == {readable(name) for name in before}


def test_another_organization_of_a_shared_function_adds_a_permission_only() -> None:
    def build(count: int) -> dict[str, Any]:
        stack = new_stack()
        function = new_function(stack)
        for index in range(count):
            organization = WorkMailOrganization.from_organization_id(stack, f"Org{index}", "m-" + str(index) * 32)
            new_rule(stack, f"Rule{index}", function=function, organization=organization, **UPDATING)
        return identities(stack)

    assert changes(build(1), build(2)) == added("ExistingWorkMailInvokePermission7F72BAFB", "Rule1FunctionArn")


@pytest.mark.parametrize("look_up", ["acme", "other"])
def test_an_alias_that_is_looked_up_moves_no_other_ones_lookup(look_up: str) -> None:
    def build(*aliases: str) -> dict[str, Any]:
        stack = new_stack()
        for alias in aliases:
            WorkMailOrganization.from_alias(stack, f"Of{alias}", alias)
        return identities(stack)

    (added_one,) = changes(build(look_up), build("acme", "other"))
    assert added_one.startswith("+WorkMailOrganizationLookup")
    assert build("acme", "other") == build("other", "acme")


def test_the_organizations_construct_may_be_renamed() -> None:
    def build(name: str) -> dict[str, Any]:
        stack = new_stack()
        new_rule(stack, organization=WorkMailOrganization.from_alias(stack, name, "acme"), **UPDATING)
        return identities(stack)

    assert build("Organization") == build("Renamed")


def test_a_stack_may_be_given_its_environment_or_lose_it() -> None:
    def build(env: Any) -> dict[str, Any]:
        stack = new_stack(env)
        new_rule(stack, **UPDATING)
        return identities(stack)

    # The value of the source ARN is the same once Region and account are filled in.
    assert {readable(name) for name in build(HERE)} == {readable(name) for name in build(None)}
    assert build(HERE).keys() == build(None).keys()


def test_a_rule_in_a_nested_stack_adds_an_output_and_the_nested_stack() -> None:
    before, after = app_of(), app_of("Updating", within=lambda stack: NestedStack(stack, "Inner"))

    assert changes(before, after) == added(
        "InnerNestedStackInnerNestedStackResource", "workmailconstructsInnerUpdatingFunctionArn"
    )


def test_logical_ids_are_those_of_the_last_release() -> None:
    """Whoever changes one of these replaces functions of users, whose ARNs people have typed (L7)."""
    assert sorted(app_of("Updating", "Asynchronous")) == [
        "AsynchronousFunction7F1061D4",
        "AsynchronousFunctionArn49222E35",
        "AsynchronousFunctionEventInvokeConfigB7225461",
        "AsynchronousInvokePermissionC4924117",
        "AsynchronousLogGroup52D3CB3E",
        "AsynchronousOnFailureF17C737A",
        "AsynchronousOnFailurePolicy2001CA69",
        "AsynchronousRoleDefaultPolicyAE27D819",
        "AsynchronousRoleEF67E313",
        "UpdatingFunctionArn8E1F133E",
        "UpdatingFunctionC9547D82",
        "UpdatingInvokePermission4F212619",
        "UpdatingLogGroupF3AD0D76",
        "UpdatingMessageBucket71A6EF79",
        "UpdatingMessageBucketPolicy9013E089",
        "UpdatingRoleA8E86AD4",
        "UpdatingRoleDefaultPolicy33395AAE",
    ]
