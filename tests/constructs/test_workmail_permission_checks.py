"""Which hand-written permissions for WorkMail are reported, and where."""

from __future__ import annotations

import pytest
from aws_cdk import App, Aspects, CfnParameter, CfnResource, Environment, Fn, Stack, Stage
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_iam import ServicePrincipal

from tests.constructs.stacks import ORGANIZATION_ID, new_function
from workmail_constructs.workmail_permission_checks import WorkMailPermissionChecks

ORGANIZATIONS = "arn:aws:workmail:us-east-1:111122223333:organization"
ORGANIZATION_ARN = f"{ORGANIZATIONS}/{ORGANIZATION_ID}"
PRINCIPAL = "workmail.us-east-1.amazonaws.com"
HERE = Environment(region="us-east-1", account="111122223333")


@pytest.fixture
def app() -> App:
    app = App()
    Aspects.of(app).add(WorkMailPermissionChecks())
    return app


def reported(stack: Stack) -> list[tuple[str, str]]:
    """Level and message of each annotation, without the stack traces."""
    found = Annotations.from_stack(stack)
    anything = Match.any_value()
    messages = [*found.find_error("*", anything), *found.find_warning("*", anything)]
    return [(message.level.name, str(message.entry.data)) for message in messages]


@pytest.mark.fact("L4", "L5")
def test_documented_permissions_and_those_of_other_services_are_left_alone(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    rule = new_function(stack, "Rule")
    rule.add_permission("WorkMail", principal=ServicePrincipal(PRINCIPAL), source_arn=ORGANIZATION_ARN)
    calendar = ServicePrincipal(f"availability.{PRINCIPAL}")
    rule.add_permission("Calendar", principal=calendar, source_arn=ORGANIZATION_ARN)
    rule.add_permission("Storage", principal=ServicePrincipal("s3.amazonaws.com"))

    assert reported(stack) == []


def test_a_principal_that_follows_the_stack_is_right(app: App) -> None:
    stack = Stack(app, "Mail")
    organization = CfnParameter(stack, "Organization").value_as_string
    for suffix in ("amazonaws.com", "${AWS::URLSuffix}"):
        CfnResource(
            stack,
            f"Permission{suffix}",
            type="AWS::Lambda::Permission",
            properties={
                "Action": "lambda:InvokeFunction",
                "FunctionName": "rule",
                "Principal": Fn.sub("workmail.${AWS::Region}." + suffix),
                "SourceArn": stack.format_arn(service="workmail", resource="organization", resource_name=organization),
            },
        )

    assert reported(stack) == []


# By the permission's id: its principal, its source ARN, and a part of the error.
WRONG_PERMISSIONS = {
    "WithoutRegion": ("workmail.amazonaws.com", ORGANIZATION_ARN, f"allowed: {PRINCIPAL}"),
    "OtherRegion": ("workmail.eu-west-1.amazonaws.com", ORGANIZATION_ARN, "in a stack of us-east-1"),
    "Availability": ("availability.workmail.amazonaws.com", ORGANIZATION_ARN, f"allowed: availability.{PRINCIPAL}"),
    "NoSourceArn": (PRINCIPAL, None, "without source ARN"),
    "AnyOrganization": (
        PRINCIPAL,
        f"{ORGANIZATIONS}/*",
        "other organizations match",
    ),
    "AnyPlace": (PRINCIPAL, f"arn:aws:workmail:*:*:organization/{ORGANIZATION_ID}", "other organizations match"),
    "Bucket": (PRINCIPAL, "arn:aws:s3:::bucket-of-mail", "not that of a WorkMail organization"),
    "BadId": (PRINCIPAL, f"{ORGANIZATIONS}/m-123", "m- and 32 lower-case hex"),
    "ArnOfOtherRegion": (PRINCIPAL, ORGANIZATION_ARN.replace("us-east-1", "us-west-2"), "of Region us-east-1"),
    "ArnOfOtherAccount": (
        PRINCIPAL,
        ORGANIZATION_ARN.replace("111122223333", "444455556666"),
        "of account 111122223333",
    ),
}


@pytest.mark.fact("L2", "L3", "L4", "L5")
def test_wrong_permissions_are_errors_all_reported_in_one_synth(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    rule = new_function(stack, "Rule")
    for name, (principal, source_arn, _) in WRONG_PERMISSIONS.items():
        rule.add_permission(name, principal=ServicePrincipal(principal), source_arn=source_arn)

    found = {
        error.id: str(error.entry.data) for error in Annotations.from_stack(stack).find_error("*", Match.any_value())
    }

    assert found.keys() == {f"/Mail/Rule/{name}" for name in WRONG_PERMISSIONS}
    assert [
        name for name, (*_, complaint) in WRONG_PERMISSIONS.items() if complaint not in found[f"/Mail/Rule/{name}"]
    ] == []


@pytest.mark.fact("L2", "L4")
def test_all_problems_of_one_permission_are_reported(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    new_function(stack, "Rule").add_permission(
        "WorkMail", principal=ServicePrincipal("workmail.eu-west-1.amazonaws.com"), action="lambda:*"
    )

    messages = " ".join(message for _, message in reported(stack))

    assert all(
        found in messages
        for found in ("workmail.eu-west-1.amazonaws.com", "without source ARN", "allows WorkMail lambda:*")
    )


@pytest.mark.fact("L1")
def test_a_stack_in_a_region_without_workmail_is_an_error(app: App) -> None:
    stack = Stack(app, "Mail", env=Environment(region="eu-central-1"))
    new_function(stack, "Rule").add_permission(
        "WorkMail", principal=ServicePrincipal("workmail.eu-central-1.amazonaws.com"), source_arn=ORGANIZATION_ARN
    )

    ((level, message),) = reported(stack)
    assert level == "ERROR"
    assert "eu-central-1" in message
    assert "eu-west-1, us-east-1, us-west-2" in message


def test_a_literal_region_in_a_stack_for_any_region_is_a_warning(app: App) -> None:
    stack = Stack(app, "Mail")
    new_function(stack, "Rule").add_permission(
        "WorkMail", principal=ServicePrincipal(PRINCIPAL), source_arn=ORGANIZATION_ARN
    )

    ((level, message),) = reported(stack)
    assert level == "WARNING"
    assert "workmail.${AWS::Region}.amazonaws.com" in message


def wrong_stack(stage: Stage) -> Stack:
    stack = Stack(stage, "Mail", env=HERE)
    new_function(stack, "Rule").add_permission("WorkMail", principal=ServicePrincipal(PRINCIPAL))
    return stack


def test_stages_are_checked_too_and_are_looked_into_by_the_cdk_cli(app: App) -> None:
    outer = Stage(app, "Outer")
    stages = [outer, Stage(outer, "Inner")]
    stacks = [wrong_stack(stage) for stage in stages]

    assembly = app.synth().get_nested_assembly(outer.artifact_id)
    assemblies = [assembly, assembly.get_nested_assembly(stages[1].artifact_id)]

    artifacts = [each.get_stack_artifact(stack.artifact_id) for each, stack in zip(assemblies, stacks, strict=True)]
    assert [["without source ARN" in str(found.entry.data) for found in each.messages] for each in artifacts] == [
        [True],
        [True],
    ]
    assert [each.validate_on_synth for each in artifacts] == [True, True]


def test_a_warning_in_a_stage_is_written_too(app: App) -> None:
    stage = Stage(app, "Production")
    stack = Stack(stage, "Mail")
    principal = ServicePrincipal(PRINCIPAL)
    new_function(stack, "Rule").add_permission("WorkMail", principal=principal, source_arn=ORGANIZATION_ARN)

    assembly = app.synth().get_nested_assembly(stage.artifact_id)

    (message,) = assembly.get_stack_artifact(stack.artifact_id).messages
    assert "workmail.${AWS::Region}.amazonaws.com" in str(message.entry.data)
