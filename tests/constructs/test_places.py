"""Rules in stages, Regions and environments, with other synthesizers, tags, boundaries and aspects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsii
import pytest
from aws_cdk import (
    App,
    Aspects,
    BootstraplessSynthesizer,
    CliCredentialsStackSynthesizer,
    DefaultStackSynthesizer,
    Environment,
    IAspect,
    LegacyStackSynthesizer,
    NestedStack,
    PermissionsBoundary,
    Stack,
    Stage,
    Tags,
)
from aws_cdk.assertions import Template
from aws_cdk.aws_ec2 import SecurityGroup, Vpc
from aws_cdk.aws_iam import CfnRole, Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import CfnFunction, Code, Function, LayerVersion
from aws_cdk.aws_s3 import Bucket

from tests.constructs.stacks import (
    ACCOUNT,
    HANDLER,
    HERE,
    ORGANIZATION_ID,
    errors_of,
    new_function,
    new_rule,
    new_stack,
    only,
    properties_of,
    statements_of,
)
from workmail_constructs import Run, WorkMailOrganization

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from constructs import Construct, IConstruct

UPDATING = {"content_access": "UPDATE"}
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"


def in_region(region: str) -> Environment:
    return Environment(region=region, account=ACCOUNT)


# Stages, organizations and Regions.


@pytest.mark.fact("L2")
def test_stages_of_three_regions_each_serve_the_organization_of_their_region(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stacks = {}
    for index, region in enumerate(REGIONS):
        stage = Stage(app, f"Stage{index}", env=in_region(region))
        shared, mail = Stack(stage, "Shared"), Stack(stage, "Mail")
        arn = f"arn:aws:workmail:{region}:{ACCOUNT}:organization/m-{str(index) * 32}"
        organization = WorkMailOrganization.from_organization_arn(shared, "Organization", arn)
        new_rule(mail, organization=organization, **UPDATING)
        stacks[region] = mail

    app.synth()
    for index, (region, stack) in enumerate(stacks.items()):
        permission = only(stack, "AWS::Lambda::Permission")
        assert errors_of(stack) == []
        assert permission["Principal"] == f"workmail.{region}.amazonaws.com"
        assert permission["SourceArn"].endswith(f"{region}:{ACCOUNT}:organization/m-{str(index) * 32}")
        assert [other for other in REGIONS if other != region and other in str(statements_of(stack))] == []


def test_the_same_stacks_in_every_stage_have_the_same_logical_ids(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stacks = [Stack(Stage(app, f"Stage{index}", env=in_region(region)), "Mail") for index, region in enumerate(REGIONS)]
    for stack in stacks:
        new_rule(stack, organization=WorkMailOrganization.from_alias(stack, "Organization", "acme"), **UPDATING)

    first, *others = [Template.from_stack(stack).to_json()["Resources"].keys() for stack in stacks]
    assert others == [first, first]


def test_an_alias_that_another_stack_of_the_stage_looks_up_is_used(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stage = Stage(app, "Stage", env=HERE)
    shared, mail = Stack(stage, "Shared"), Stack(stage, "Mail")
    new_rule(mail, organization=WorkMailOrganization.from_alias(shared, "Organization", "acme"), **UPDATING)

    app.synth()
    only(shared, "Custom::WorkMailOrganization")
    assert properties_of(mail, "Custom::WorkMailOrganization") == []
    assert errors_of(mail) == []


def test_two_organizations_in_one_stack_each_have_rights_and_permission_of_their_own() -> None:
    stack = new_stack()
    ids = ["m-" + digit * 32 for digit in "12"]
    for each in ids:
        organization = WorkMailOrganization.from_organization_id(stack, f"Org{each}", each)
        new_rule(stack, f"Rule{each}", organization=organization, **UPDATING)

    assert errors_of(stack) == []
    assert len(properties_of(stack, "AWS::Lambda::Permission")) == len(ids)
    policies = [str(policy["PolicyDocument"]) for policy in properties_of(stack, "AWS::IAM::Policy")]
    assert sorted([each for each in ids if each in policy] for policy in policies) == [[each] for each in ids]


# What a rule may bring from another stack.

BROUGHT: dict[str, Callable[[Construct], Any]] = {
    "function": new_function,
    "message_bucket": lambda scope: Bucket(scope, "Brought"),
    "message_key": lambda scope: Key(scope, "Brought"),
    "role": lambda scope: Role(scope, "Brought", assumed_by=ServicePrincipal("lambda.amazonaws.com")),
    "environment_encryption": lambda scope: Key(scope, "Brought"),
    "log_encryption_key": lambda scope: Key(scope, "Brought"),
    "layers": lambda scope: [LayerVersion(scope, "Brought", code=Code.from_asset(str(HANDLER)))],
    "vpc": lambda scope: Vpc(scope, "Brought"),
}


def _two_stacks(app: App) -> tuple[Stack, Stack]:
    return Stack(app, "There", env=HERE), Stack(app, "Mail", env=HERE)


def _around(app: App) -> tuple[Stack, Stack]:
    there = Stack(app, "There", env=HERE)
    return there, NestedStack(there, "Mail")


def _within(app: App) -> tuple[Stack, Stack]:
    mail = Stack(app, "Mail", env=HERE)
    return NestedStack(mail, "There"), mail


def _two_stages(app: App) -> tuple[Stack, Stack]:
    return Stack(Stage(app, "Other", env=HERE), "There"), Stack(Stage(app, "Own", env=HERE), "Mail")


def _two_regions(app: App) -> tuple[Stack, Stack]:
    return Stack(app, "There", env=in_region("us-east-1")), Stack(app, "Mail", env=HERE)


@pytest.mark.parametrize("places", [_two_stacks, _around, _within])
@pytest.mark.parametrize("argument", BROUGHT)
def test_a_rule_may_bring_what_a_stack_of_its_stage_makes(
    tmp_path: Path, argument: str, places: Callable[[App], tuple[Stack, Stack]]
) -> None:
    app = App(outdir=str(tmp_path))
    there, mail = places(app)
    new_rule(mail, **{argument: BROUGHT[argument](there)}, **UPDATING)

    app.synth()
    assert [errors_of(stack) for stack in (there, mail) if stack.nested_stack_parent is None and errors_of(stack)] == []


@pytest.mark.parametrize(
    ("places", "remedy"),
    [
        (_two_stages, r"in another stage than the rule's stack Own/Mail; .* or make both in one stage"),
        (_two_regions, r"which is for Region us-east-1 .* is for Region eu-west-1 .* give both stacks the same env"),
    ],
)
@pytest.mark.parametrize("argument", BROUGHT)
def test_what_another_stage_or_environment_makes_is_refused_before_anything_is_made(
    tmp_path: Path, argument: str, places: Callable[[App], tuple[Stack, Stack]], remedy: str
) -> None:
    there, mail = places(App(outdir=str(tmp_path)))
    brought = BROUGHT[argument](there)

    with pytest.raises(ValueError, match=rf"{argument}: found (Other/)?There/\w+ in stack (Other/)?There, {remedy}"):
        new_rule(mail, **{argument: brought}, **UPDATING)
    assert mail.node.try_find_child("Rule") is None


def test_every_problem_with_other_stages_is_reported_together(tmp_path: Path) -> None:
    there, mail = _two_stages(App(outdir=str(tmp_path)))
    vpc = Vpc(there, "Vpc")
    brought = {
        "vpc": vpc,
        "security_groups": [SecurityGroup(there, "Group", vpc=vpc)],
        "message_key": Key(there, "Key"),
    }
    organization = WorkMailOrganization.from_alias(there, "Organization", "acme")

    with pytest.raises(ValueError, match="in another stage") as caught:
        new_rule(mail, organization=organization, **brought, **UPDATING)
    assert [each for each in (*brought, "organization") if f"  {each}: found " not in str(caught.value)] == []


def test_a_function_of_a_stack_without_environment_is_refused_in_a_stack_with_one(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    there, mail = Stack(app, "There"), Stack(app, "Mail", env=HERE)

    with pytest.raises(ValueError, match=r"found There/Existing .* Region of the deployment .* the same env"):
        new_rule(mail, function=new_function(there))


def test_a_function_with_a_name_may_be_in_a_stack_without_environment(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    there, mail = Stack(app, "There"), Stack(app, "Mail", env=HERE)
    new_rule(mail, function=new_function(there, function_name="mail"))

    app.synth()
    assert errors_of(mail) == []


def test_a_role_with_a_name_may_be_of_another_region(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    there, mail = _two_regions(app)
    role = Role(there, "Role", role_name="mail", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
    new_rule(mail, role=role, **UPDATING)

    app.synth()
    assert errors_of(mail) == []


def test_what_is_imported_may_be_imported_in_another_stage(tmp_path: Path) -> None:
    there, mail = _two_stages(App(outdir=str(tmp_path)))
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:existing"
    new_rule(mail, function=Function.from_function_arn(there, "Imported", arn))

    assert errors_of(mail) == []


@pytest.mark.fact("L2")
def test_an_organization_that_is_looked_up_in_another_region_is_named_by_its_alias(tmp_path: Path) -> None:
    there, mail = _two_regions(App(outdir=str(tmp_path)))
    new_rule(mail, organization=WorkMailOrganization.from_alias(there, "Organization", "acme"))

    ((_, text),) = errors_of(mail)
    assert "found organization acme of Region us-east-1 in a stack of Region eu-west-1" in text


# Synthesizers, protection, boundaries and tags.


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "synthesizer",
    [
        lambda: CliCredentialsStackSynthesizer(),
        lambda: LegacyStackSynthesizer(),
        lambda: DefaultStackSynthesizer(qualifier="mail", file_assets_bucket_name="assets"),
    ],
)
def test_a_stack_may_have_another_synthesizer(tmp_path: Path, synthesizer: Callable[[], Any], nested: bool) -> None:
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Mail", env=HERE, synthesizer=synthesizer())
    of_rule = NestedStack(stack, "Inner") if nested else stack
    new_rule(of_rule, **UPDATING)

    app.synth()
    assert "S3Key" in only(of_rule, "AWS::Lambda::Function")["Code"]
    assert errors_of(stack) == []


def test_a_stack_that_takes_no_assets_is_refused_code_and_takes_a_function() -> None:
    stack = Stack(App(), "Mail", env=HERE, synthesizer=BootstraplessSynthesizer())

    with pytest.raises(ValueError, match=r"code: found stack Mail with the BootstraplessSynthesizer, .* synthesizer"):
        new_rule(stack, "Code")
    organization = WorkMailOrganization.from_alias(stack, "Organization", "acme")
    new_rule(stack, "Function", function=new_function(stack), organization=organization)
    assert errors_of(stack) == []


def test_protection_boundary_and_tags_of_a_stack_reach_all_that_is_made(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    boundary = PermissionsBoundary.from_name("boundary")
    stack = Stack(app, "Mail", env=HERE, termination_protection=True, permissions_boundary=boundary)
    Tags.of(app).add("team", "mail")
    organization = WorkMailOrganization.from_alias(stack, "Organization", "acme")
    new_rule(stack, "Updating", organization=organization, **UPDATING)
    new_rule(stack, "Asynchronous", organization=organization, run=Run.asynchronous(), senders=["a.example"])

    roles = properties_of(stack, "AWS::IAM::Role")
    assert len(roles) == 3
    assert [role for role in roles if "boundary" not in str(role["PermissionsBoundary"])] == []
    for kind in (
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::Logs::LogGroup",
    ):
        assert {str(each["Tags"]) for each in properties_of(stack, kind)} == {"[{'Key': 'team', 'Value': 'mail'}]"}


# Aspects, which change things after the rules are made.


@jsii.implements(IAspect)
class Change:
    """Changes every construct of a kind."""

    def __init__(self, kind: type, change: Callable[[Any], None]) -> None:
        self._kind = kind
        self._change = change

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, self._kind):
            self._change(node)


def changed(kind: type, change: Callable[[Any], None], **arguments: Any) -> Stack:
    """Return a stack with a rule, changed by an aspect of the app."""
    app = App()
    Aspects.of(app).add(Change(kind, change))
    stack = Stack(app, "Mail", env=HERE)
    given = {name: make(stack) for name, make in arguments.items()}
    new_rule(stack, **given, **UPDATING)
    return stack


OWN_OR_GIVEN = pytest.mark.parametrize("given", [{}, {"function": new_function}])


@OWN_OR_GIVEN
def test_an_aspect_may_give_roles_a_boundary(given: dict[str, Any]) -> None:
    def limit(role: CfnRole) -> None:
        role.permissions_boundary = BOUNDARY

    stack = changed(CfnRole, limit, **given)
    assert only(stack, "AWS::IAM::Role")["PermissionsBoundary"] == BOUNDARY
    assert errors_of(stack) == []


@OWN_OR_GIVEN
def test_an_aspect_may_add_a_variable(given: dict[str, Any]) -> None:
    stack = changed(Function, lambda function: function.add_environment("STAGE", "test"), **given)

    variables = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
    assert variables.keys() == {"STAGE", "WORKMAIL_MESSAGE_BUCKET"}
    assert errors_of(stack) == []


@OWN_OR_GIVEN
def test_an_aspect_that_changes_the_bucket_variable_is_found(given: dict[str, Any]) -> None:
    stack = changed(Function, lambda function: function.add_environment("WORKMAIL_MESSAGE_BUCKET", "mine"), **given)

    ((_, text),) = errors_of(stack)
    assert "another value of WORKMAIL_MESSAGE_BUCKET" in text


@pytest.mark.fact("T1")
@OWN_OR_GIVEN
@pytest.mark.parametrize(("seconds", "errors"), [(14, []), (15, ["/Mail/Rule"]), (900, ["/Mail/Rule"])])
def test_an_aspect_that_makes_a_synchronous_function_slow_is_found(
    given: dict[str, Any], seconds: int, errors: list[str]
) -> None:
    def slow(function: CfnFunction) -> None:
        function.timeout = seconds

    assert [path for path, _ in errors_of(changed(CfnFunction, slow, **given))] == errors


@pytest.mark.fact("T1")
def test_a_slow_function_is_an_error_of_each_synchronous_rule_and_of_no_other() -> None:
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    maker = new_rule(stack, "Asynchronous", organization=organization, run=Run.asynchronous())
    for name in ("First", "Second"):
        new_rule(stack, name, organization=organization, function=maker.function, senders=[f"{name}.example".lower()])

    assert sorted(path for path, _ in errors_of(stack)) == ["/Mail/First", "/Mail/Second"]
