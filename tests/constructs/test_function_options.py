"""How RunLambdaRule makes its function: what is passed to CDK, and what each option brings with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk.assertions import Match, Template
from aws_cdk.aws_codedeploy import LambdaDeploymentConfig, LambdaDeploymentGroup
from aws_cdk.aws_ec2 import SecurityGroup, SubnetSelection, SubnetType, Vpc
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import (
    ApplicationLogLevel,
    Architecture,
    Function,
    LambdaInsightsVersion,
    LayerVersion,
    LoggingFormat,
    ParamsAndSecretsLayerVersion,
    ParamsAndSecretsVersions,
    Runtime,
    RuntimeManagementMode,
    SnapStartConf,
    SystemLogLevel,
    Tracing,
    VersionOptions,
)
from aws_cdk.aws_logs import RetentionDays

from tests.constructs.stacks import (
    ACCOUNT,
    REGION,
    errors_of,
    new_rule,
    new_stack,
    only,
    properties_of,
    rights_of,
    statements_of,
    warnings_of,
)
from workmail_constructs import ContentAccess, FallbackAction, Powertools, Run
from workmail_constructs.rule_function import PassedOptions
from workmail_flow.metrics import METRICS_OFF, METRICS_VARIABLE
from workmail_flow.rule_set import RuleSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import Stack

ASYNCHRONOUS = Run.asynchronous()
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0000"

# An option of CDK's own, how to make its value, and what the function then has.
PASSED: dict[str, tuple[Callable[[Stack], Any], dict[str, Any]]] = {
    "application_log_level_v2": (
        lambda _: ApplicationLogLevel.WARN,
        {"LoggingConfig": Match.object_like({"ApplicationLogLevel": "WARN"})},
    ),
    "current_version_options": (lambda _: VersionOptions(description="live"), {}),
    "environment_encryption": (lambda stack: Key.from_key_arn(stack, "Key", KEY_ARN), {"KmsKeyArn": KEY_ARN}),
    "ephemeral_storage_size": (lambda _: Size.gibibytes(1), {"EphemeralStorage": {"Size": 1024}}),
    "function_name": (lambda _: "mail-banner", {"FunctionName": "mail-banner"}),
    "insights_version": (lambda _: LambdaInsightsVersion.VERSION_1_0_333_0, {"Layers": Match.any_value()}),
    "layers": (
        lambda stack: [LayerVersion.from_layer_version_arn(stack, "Layer", "arn:aws:lambda:eu-west-1:1:layer:a:1")],
        {"Layers": ["arn:aws:lambda:eu-west-1:1:layer:a:1"]},
    ),
    "logging_format": (lambda _: LoggingFormat.JSON, {"LoggingConfig": Match.object_like({"LogFormat": "JSON"})}),
    "params_and_secrets": (
        lambda _: ParamsAndSecretsLayerVersion.from_version(ParamsAndSecretsVersions.V1_0_103),
        {"Layers": Match.any_value()},
    ),
    "reserved_concurrent_executions": (lambda _: 5, {"ReservedConcurrentExecutions": 5}),
    "runtime_management_mode": (
        lambda _: RuntimeManagementMode.FUNCTION_UPDATE,
        {"RuntimeManagementConfig": {"UpdateRuntimeOn": "FunctionUpdate"}},
    ),
    "snap_start": (lambda _: SnapStartConf.ON_PUBLISHED_VERSIONS, {"SnapStart": {"ApplyOn": "PublishedVersions"}}),
    "system_log_level_v2": (
        lambda _: SystemLogLevel.WARN,
        {"LoggingConfig": Match.object_like({"SystemLogLevel": "WARN"})},
    ),
    "tracing": (lambda _: Tracing.ACTIVE, {"TracingConfig": {"Mode": "Active"}}),
}
OF_NETWORKS = {
    "allow_all_ipv6_outbound": True,
    "allow_all_outbound": False,
    "allow_public_subnet": True,
    "ipv6_allowed_for_dual_stack": True,
}
NEEDED = {
    "application_log_level_v2": {"logging_format": LoggingFormat.JSON},
    "system_log_level_v2": {"logging_format": LoggingFormat.JSON},
    "snap_start": {"alias": "live"},
}


@pytest.mark.parametrize("option", PASSED)
def test_an_option_of_cdks_is_passed(option: str) -> None:
    make, expected = PASSED[option]
    stack = new_stack()
    new_rule(stack, **{option: make(stack), **NEEDED.get(option, {})})

    Template.from_stack(stack).has_resource_properties("AWS::Lambda::Function", expected)
    assert errors_of(stack) == warnings_of(stack) == []


def test_every_option_of_cdks_is_tried_here() -> None:
    assert PassedOptions.__annotations__.keys() == {*PASSED, *OF_NETWORKS, "security_groups", "vpc", "vpc_subnets"}


@pytest.mark.parametrize("option", OF_NETWORKS)
def test_a_function_in_a_vpc_may_manage_its_network_interfaces_and_nothing_more(option: str) -> None:
    stack = new_stack()
    vpc = Vpc(stack, "Vpc")
    given = {"security_groups": [SecurityGroup(stack, "Group", vpc=vpc)]} if option == "allow_public_subnet" else {}
    new_rule(
        stack,
        vpc=vpc,
        vpc_subnets=SubnetSelection(subnet_type=SubnetType.PRIVATE_WITH_EGRESS),
        **given,
        **{option: OF_NETWORKS[option]},
    )

    assert len(only(stack, "AWS::Lambda::Function")["VpcConfig"]["SubnetIds"]) == 3
    (statement,) = rights_of(stack)
    assert statement["Resource"] == "*"
    assert {action.partition(":")[0] for action in statement["Action"]} == {"ec2"}
    (role,) = [each for each in properties_of(stack, "AWS::IAM::Role") if "lambda" in str(each)]
    assert "ManagedPolicyArns" not in role


def test_an_alias_is_what_the_rule_runs() -> None:
    stack = new_stack()
    rule = new_rule(stack, alias="live", content_access=ContentAccess.UPDATE)
    arn = stack.resolve(rule.alias.function_arn)

    assert only(stack, "AWS::Lambda::Alias")["Name"] == "live"
    assert only(stack, "AWS::Lambda::Permission")["FunctionName"] == arn
    assert stack.resolve(rule.email_flow_rule.function) == arn
    assert stack.resolve(rule.function_arn_output.value) == arn
    assert isinstance(rule.function, Function)


def test_a_struct_may_be_given_as_a_dict() -> None:
    stack = new_stack()
    new_rule(stack, alias="live", current_version_options={"provisioned_concurrent_executions": 2})

    provisioned = only(stack, "AWS::Lambda::Version")["ProvisionedConcurrencyConfig"]
    assert provisioned == {"ProvisionedConcurrentExecutions": 2}


def test_an_alias_may_be_deployed_gradually() -> None:
    stack = new_stack()
    rule = new_rule(stack, alias="live")
    LambdaDeploymentGroup(
        stack, "Deployment", alias=rule.alias, deployment_config=LambdaDeploymentConfig.LINEAR_10_PERCENT_EVERY_1_MINUTE
    )

    Template.from_stack(stack).has_resource(
        "AWS::Lambda::Alias", {"UpdatePolicy": {"CodeDeployLambdaAliasUpdate": Match.any_value()}}
    )


def test_a_rule_without_alias_says_how_to_get_one() -> None:
    rule = new_rule(new_stack())

    with pytest.raises(AttributeError, match=r"alias: found none at RunLambdaRule Mail/Rule; give the argument alias"):
        rule.alias  # noqa: B018 - it raises


@pytest.mark.parametrize("alias", [{}, {"alias": "live"}])
def test_failed_events_are_kept_and_asynchronous_options_passed(alias: dict[str, str]) -> None:
    stack = new_stack()
    rule = new_rule(stack, run=ASYNCHRONOUS, retry_attempts=0, max_event_age=Duration.hours(1), **alias)

    config = only(stack, "AWS::Lambda::EventInvokeConfig")
    assert rule.on_failure_queue is not None
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == stack.resolve(rule.on_failure_queue.queue_arn)
    assert config["MaximumRetryAttempts"] == 0
    assert config["MaximumEventAgeInSeconds"] == 3600
    assert (config["Qualifier"] == "$LATEST") is not bool(alias)
    assert any("sqs:SendMessage" in statement["Action"] for statement in rights_of(stack))


@pytest.mark.fact("T2")
@pytest.mark.parametrize("option", [{"retry_attempts": 0}, {"max_event_age": Duration.hours(1)}])
def test_asynchronous_options_on_a_synchronous_rule_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"found on a synchronous rule, which WorkMail itself retries .* rule_timeout"):
        new_rule(new_stack(), **option)


def test_snap_start_without_alias_is_refused() -> None:
    with pytest.raises(ValueError, match="snap_start: found without alias"):
        new_rule(new_stack(), snap_start=SnapStartConf.ON_PUBLISHED_VERSIONS)


def test_a_given_role_gets_what_the_function_needs() -> None:
    stack = new_stack()
    role = Role(stack, "Own", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
    rule = new_rule(stack, role=role, content_access=ContentAccess.UPDATE)

    assert rule.role is role
    only(stack, "AWS::IAM::Role")
    actions = {str(statement["Action"]) for statement in statements_of(stack)}
    assert "['logs:CreateLogStream', 'logs:PutLogEvents']" in actions
    assert "s3:PutObject" in actions


def test_powertools_is_set_by_its_environment() -> None:
    stack = new_stack()
    powertools = Powertools(service="banner", metrics_namespace="Mail", log_level="DEBUG")
    new_rule(stack, powertools=powertools, environment={"BANNER": "External"})

    assert only(stack, "AWS::Lambda::Function")["Environment"]["Variables"] == {
        "BANNER": "External",
        "POWERTOOLS_SERVICE_NAME": "banner",
        "POWERTOOLS_METRICS_NAMESPACE": "Mail",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }


@pytest.mark.parametrize(
    ("options", "variables"),
    [({}, None), ({"metrics": True}, None), ({"metrics": False}, {METRICS_VARIABLE: METRICS_OFF})],
)
def test_metrics_are_on_unless_they_are_turned_off(options: Any, variables: Any) -> None:
    stack = new_stack()
    new_rule(stack, **options)
    assert only(stack, "AWS::Lambda::Function").get("Environment", {}).get("Variables") == variables


@pytest.mark.parametrize("options", [{}, {"metrics": True}, {"metrics": False}])
def test_metrics_are_turned_off_by_their_argument_alone(options: Any) -> None:
    with pytest.raises(ValueError, match=r"environment: found WORKMAIL_METRICS, .* give metrics=False"):
        new_rule(new_stack(), environment={METRICS_VARIABLE: METRICS_OFF}, **options)


def test_metrics_takes_no_words() -> None:
    with pytest.raises(ValueError, match="metrics: found 'off'; give True or False"):
        new_rule(new_stack(), metrics="off")


def test_powertools_set_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="environment: found POWERTOOLS_LOG_LEVEL beside powertools"):
        new_rule(new_stack(), powertools=Powertools(service="banner"), environment={"POWERTOOLS_LOG_LEVEL": "DEBUG"})


def test_the_log_group_has_retention_key_and_removal_policy() -> None:
    stack = new_stack()
    new_rule(
        stack,
        log_retention=RetentionDays.ONE_WEEK,
        log_removal_policy=RemovalPolicy.DESTROY,
        log_encryption_key=Key(stack, "Key"),
    )

    Template.from_stack(stack).has_resource(
        "AWS::Logs::LogGroup",
        {"DeletionPolicy": "Delete", "Properties": {"RetentionInDays": 7, "KmsKeyId": Match.any_value()}},
    )
    *_, statement = only(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"}
    }


def test_rules_share_the_statement_on_their_log_key() -> None:
    stack = new_stack()
    key = Key(stack, "Key")
    for index in range(2):
        new_rule(stack, f"Rule{index}", log_encryption_key=key)

    statements = only(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert len([each for each in statements if "Service" in each["Principal"]]) == 1


def test_an_imported_log_key_is_warned_about_with_the_statement() -> None:
    stack = new_stack()
    new_rule(stack, log_encryption_key=Key.from_key_arn(stack, "Key", KEY_ARN))

    ((_, text),) = warnings_of(stack)
    assert "WorkMailLogKeyPolicy" in text
    assert f'"Principal":{{"Service":"logs.{REGION}.amazonaws.com"}}' in text


def test_the_bucket_is_removed_and_emptied_with_its_stack_if_asked() -> None:
    stack = new_stack()
    new_rule(
        stack,
        content_access=ContentAccess.UPDATE,
        message_bucket_removal_policy=RemovalPolicy.DESTROY,
        message_bucket_auto_delete_objects=True,
    )

    Template.from_stack(stack).has_resource("AWS::S3::Bucket", {"DeletionPolicy": "Delete"})
    only(stack, "Custom::S3AutoDeleteObjects")


@pytest.mark.parametrize("policy", [None, RemovalPolicy.RETAIN])
def test_a_bucket_that_stays_is_not_emptied(policy: RemovalPolicy | None) -> None:
    with pytest.raises(ValueError, match=r"auto_delete_objects: found without message_bucket_removal_policy=Removal"):
        new_rule(
            new_stack(),
            content_access=ContentAccess.UPDATE,
            message_bucket_removal_policy=policy,
            message_bucket_auto_delete_objects=True,
        )


def _decide(direction: Any) -> object:
    return RuleSet().decide(direction=direction, sender=None, from_="a@example.com", recipient="b@example.com")


def test_words_stand_for_members() -> None:
    stack = new_stack()
    rule = new_rule(
        stack, direction="outbound", content_access="UPDATE", run=Run.synchronous(fallback="ROUTE_TO_SMTP_GATEWAY")
    )

    assert rule.direction == "OUTBOUND"
    assert rule.email_flow_rule.fallback == FallbackAction.ROUTE_TO_SMTP_GATEWAY
    only(stack, "AWS::S3::Bucket")
    assert rights_of(stack)[0]["Resource"] == rule.organization.message_arn("OUTBOUND")


@pytest.mark.parametrize(
    ("name", "use", "allowed"),
    [
        ("content_access", lambda: new_rule(new_stack(), content_access="write"), "NONE, READ, UPDATE"),
        ("direction", lambda: new_rule(new_stack(), direction="in"), "INBOUND, OUTBOUND"),
        ("direction", lambda: new_rule(new_stack()).organization.message_arn("in"), "INBOUND, OUTBOUND"),  # type: ignore[arg-type]
        ("direction", lambda: _decide("in"), "INBOUND, OUTBOUND"),
        ("fallback", lambda: Run.synchronous(fallback="junk"), "DROP, BOUNCE, DEFAULT, MOVE_TO_JUNK, "),  # type: ignore[arg-type]
    ],
)
def test_other_words_are_refused_with_those_there_are(name: str, use: Callable[[], object], allowed: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: found '\w+'; allowed: {allowed}"):
        use()


def test_code_is_packed_for_the_runtime_and_architecture() -> None:
    stack = new_stack()
    new_rule(stack, runtime=Runtime.PYTHON_3_12, architecture=Architecture.X86_64)
    new_rule(stack, "Default")

    first, second = properties_of(stack, "AWS::Lambda::Function")
    assert (first["Runtime"], first["Architectures"]) == ("python3.12", ["x86_64"])
    assert (second["Runtime"], second["Architectures"]) == ("python3.13", ["arm64"])
    assert errors_of(stack) == []


def test_a_runtime_that_is_no_python_is_refused() -> None:
    with pytest.raises(ValueError, match=r"runtime: found nodejs22.x"):
        new_rule(new_stack(), runtime=Runtime.NODEJS_22_X)
