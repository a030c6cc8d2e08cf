"""Which hand-written permissions for WorkMail are reported, and where."""

from __future__ import annotations

import pytest
from aws_cdk import App, Aspects, CfnParameter, CfnResource, Environment, Fn, Stack, Stage
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_iam import ServicePrincipal
from aws_cdk.aws_lambda import Code, Function, Runtime

from workmail_constructs.workmail_permission_checks import WorkMailPermissionChecks

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
ORGANIZATION_ARN = f"arn:aws:workmail:us-east-1:111122223333:organization/{ORGANIZATION_ID}"
PRINCIPAL = "workmail.us-east-1.amazonaws.com"
HERE = Environment(region="us-east-1", account="111122223333")


@pytest.fixture
def app() -> App:
    app = App()
    Aspects.of(app).add(WorkMailPermissionChecks())
    return app


def function(stack: Stack) -> Function:
    return Function(stack, "Rule", runtime=Runtime.PYTHON_3_12, handler="i.h", code=Code.from_inline("pass"))


def reported(stack: Stack) -> list[tuple[str, str]]:
    """Level and message of each annotation, without the stack traces."""
    found = Annotations.from_stack(stack)
    anything = Match.any_value()
    messages = [*found.find_error("*", anything), *found.find_warning("*", anything)]
    return [(message.level.name, str(message.entry.data)) for message in messages]


@pytest.mark.fact("L4")
def test_the_documented_permission_is_right(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    function(stack).add_permission("WorkMail", principal=ServicePrincipal(PRINCIPAL), source_arn=ORGANIZATION_ARN)

    assert reported(stack) == []


@pytest.mark.fact("L5")
def test_a_permission_for_an_availability_provider_is_right(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    principal = ServicePrincipal(f"availability.{PRINCIPAL}")
    function(stack).add_permission("Calendar", principal=principal, source_arn=ORGANIZATION_ARN)

    assert reported(stack) == []


@pytest.mark.parametrize("suffix", ["amazonaws.com", "${AWS::URLSuffix}"])
def test_a_principal_that_follows_the_stack_is_right(app: App, suffix: str) -> None:
    stack = Stack(app, "Mail")
    organization = CfnParameter(stack, "Organization")
    CfnResource(
        stack,
        "Permission",
        type="AWS::Lambda::Permission",
        properties={
            "Action": "lambda:InvokeFunction",
            "FunctionName": function(stack).function_name,
            "Principal": Fn.sub("workmail.${AWS::Region}." + suffix),
            "SourceArn": stack.format_arn(
                service="workmail", resource="organization", resource_name=organization.value_as_string
            ),
        },
    )

    assert reported(stack) == []


def test_permissions_for_other_services_are_left_alone(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    function(stack).add_permission("Storage", principal=ServicePrincipal("s3.amazonaws.com"))

    assert reported(stack) == []


@pytest.mark.fact("L2", "L4")
def test_all_problems_of_a_permission_are_told_in_one_synth(app: App) -> None:
    stack = Stack(app, "Mail", env=HERE)
    function(stack).add_permission(
        "WorkMail", principal=ServicePrincipal("workmail.eu-west-1.amazonaws.com"), action="lambda:*"
    )

    region, source_arn, action = sorted(message for _, message in reported(stack))
    assert (region, source_arn, action) == ()


@pytest.mark.parametrize(
    ("principal", "source_arn", "complaint"),
    [
        pytest.param("workmail.amazonaws.com", ORGANIZATION_ARN, PRINCIPAL, id="without Region"),
        pytest.param(
            "workmail.eu-west-1.amazonaws.com", ORGANIZATION_ARN, "in a stack of us-east-1", id="other Region"
        ),
        pytest.param(
            "availability.workmail.amazonaws.com",
            ORGANIZATION_ARN,
            "availability.workmail.us-east-1.amazonaws.com",
            id="availability without Region",
        ),
        pytest.param(PRINCIPAL, None, "without source ARN", id="no source ARN"),
        pytest.param(
            PRINCIPAL,
            "arn:aws:workmail:us-east-1:111122223333:organization/*",
            "other organizations match too",
            id="every organization",
        ),
        pytest.param(
            PRINCIPAL,
            f"arn:aws:workmail:*:*:organization/{ORGANIZATION_ID}",
            "other organizations match too",
            id="wildcards",
        ),
        pytest.param(
            PRINCIPAL,
            "arn:aws:s3:::bucket-of-mail",
            "not that of a WorkMail organization",
            id="not an organization",
        ),
        pytest.param(
            PRINCIPAL,
            "arn:aws:workmail:us-east-1:111122223333:organization/m-123",
            "m- and 32 lower-case hex digits",
            id="bad organization id",
        ),
        pytest.param(
            PRINCIPAL,
            ORGANIZATION_ARN.replace("us-east-1", "us-west-2"),
            "an organization of Region us-east-1",
            id="organization of another Region",
        ),
        pytest.param(
            PRINCIPAL,
            ORGANIZATION_ARN.replace("111122223333", "444455556666"),
            "an organization of account 111122223333",
            id="organization of another account",
        ),
    ],
)
@pytest.mark.fact("L2", "L3", "L4", "L5")
def test_a_wrong_permission_is_an_error(app: App, principal: str, source_arn: str | None, complaint: str) -> None:
    stack = Stack(app, "Mail", env=HERE)
    function(stack).add_permission("WorkMail", principal=ServicePrincipal(principal), source_arn=source_arn)

    ((level, message),) = reported(stack)
    assert level == "ERROR"
    assert complaint in message
    assert "Mail/Rule/WorkMail" in message


@pytest.mark.fact("L1")
def test_a_stack_in_a_region_without_workmail_is_an_error(app: App) -> None:
    stack = Stack(app, "Mail", env=Environment(region="eu-central-1"))
    function(stack).add_permission(
        "WorkMail", principal=ServicePrincipal("workmail.eu-central-1.amazonaws.com"), source_arn=ORGANIZATION_ARN
    )

    ((level, message),) = reported(stack)
    assert level == "ERROR"
    assert "eu-central-1" in message
    assert "eu-west-1, us-east-1, us-west-2" in message


def test_a_written_out_region_in_a_stack_for_any_region_is_a_warning(app: App) -> None:
    stack = Stack(app, "Mail")
    function(stack).add_permission("WorkMail", principal=ServicePrincipal(PRINCIPAL), source_arn=ORGANIZATION_ARN)

    ((level, message),) = reported(stack)
    assert level == "WARNING"
    assert "workmail.${AWS::Region}.amazonaws.com" in message


def test_stages_are_checked_too(app: App) -> None:
    production = Stage(app, "Production")
    stack = Stack(production, "Mail", env=HERE)
    function(stack).add_permission("WorkMail", principal=ServicePrincipal(PRINCIPAL))

    assembly = app.synth().get_nested_assembly(production.artifact_id)

    (message,) = assembly.get_stack_artifact(stack.artifact_id).messages
    assert "without source ARN" in str(message.entry.data)
