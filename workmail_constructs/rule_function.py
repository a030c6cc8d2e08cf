"""The function of a rule: a new one, or an existing one that gets what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from aws_cdk import Annotations, Duration
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_lambda import Alias, Architecture, Function, FunctionProps, Runtime, Version
from aws_cdk.aws_lambda_destinations import SqsDestination
from aws_cdk.aws_logs import LogGroup

from workmail_constructs import defaults
from workmail_constructs.guards import guard_place
from workmail_constructs.problems import add_warning, require_statement
from workmail_constructs.unchecked import unchecked
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE
from workmail_flow.metrics import METRICS_OFF, METRICS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import RemovalPolicy, Size
    from aws_cdk.aws_ec2 import SubnetSelection
    from aws_cdk.aws_iam import IPrincipal, IRole
    from aws_cdk.aws_lambda import (
        ApplicationLogLevel,
        IDestination,
        IVersion,
        LambdaInsightsVersion,
        LoggingFormat,
        ParamsAndSecretsLayerVersion,
        RuntimeManagementMode,
        SnapStartConf,
        SystemLogLevel,
        Tracing,
        VersionOptions,
    )
    from aws_cdk.aws_logs import RetentionDays
    from constructs import Construct

    from workmail_constructs.content_access import ContentGrant
    from workmail_constructs.function_record import FunctionRecord
    from workmail_constructs.interfaces import AnyFunction, AnyKey, AnyLayer, AnyRole, AnySecurityGroup, AnyVpc
    from workmail_constructs.powertools import Powertools
    from workmail_constructs.rule_code import RuleCode
    from workmail_constructs.run import Run
    from workmail_constructs.stack_record import StackRecord

# Made once per process, since each costs a call into Node.js.
RUNTIME: Final = Runtime.PYTHON_3_13
_ARCHITECTURE: Final = Architecture.ARM_64
_LAMBDA: Final = cast("IPrincipal", ServicePrincipal("lambda.amazonaws.com"))
_SYNCHRONOUS_TIMEOUT: Final = Duration.seconds(defaults.SYNCHRONOUS_TIMEOUT_SECONDS)
_ASYNCHRONOUS_TIMEOUT: Final = Duration.seconds(defaults.ASYNCHRONOUS_TIMEOUT_SECONDS)
NETWORK_ACTIONS: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does in the role's name to put a function into a VPC."""

LOG_KEY_ACTIONS: Final = ("kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*")
"""What CloudWatch Logs does with the key of a log group."""

_SNAP_START_WARNING: Final = "@aws-cdk/aws-lambda:snapStartRequirePublish"

_new_function: Final = unchecked(Function, FunctionProps)


class PassedOptions(TypedDict, total=False):
    """The options that are CDK's own, and are passed to its `Function` as they are."""

    allow_all_ipv6_outbound: bool
    allow_all_outbound: bool
    allow_public_subnet: bool
    application_log_level_v2: ApplicationLogLevel
    current_version_options: VersionOptions
    environment_encryption: AnyKey
    ephemeral_storage_size: Size
    function_name: str
    """A name that stays when the construct is renamed or moved, so that the ARN in the console stays right.
    CloudFormation cannot replace a function by another one of the same name in one deployment."""
    insights_version: LambdaInsightsVersion
    """CDK adds AWS's managed policy for Lambda Insights to the role."""
    ipv6_allowed_for_dual_stack: bool
    layers: Sequence[AnyLayer]
    logging_format: LoggingFormat
    params_and_secrets: ParamsAndSecretsLayerVersion
    reserved_concurrent_executions: int
    """WorkMail retries what is throttled until the rule timeout is over, then takes the fallback (T2)."""
    runtime_management_mode: RuntimeManagementMode
    security_groups: Sequence[AnySecurityGroup]
    snap_start: SnapStartConf
    """Works with `alias` only, since Lambda snapshots versions."""
    system_log_level_v2: SystemLogLevel
    tracing: Tracing
    vpc: AnyVpc
    """The function needs a way out to WorkMail's API if it reads messages: a NAT gateway."""
    vpc_subnets: SubnetSelection


class FunctionOptions(PassedOptions, total=False):
    """How `RunLambdaRule` makes its function; an existing function brings its own."""

    alias: str
    """The name of an alias for the rule to run, in place of the newest code at once."""
    architecture: Architecture
    """arm64 by default. The code is packed for it."""
    environment: Mapping[str, str]
    log_encryption_key: AnyKey
    log_removal_policy: RemovalPolicy
    """CDK's default keeps the log group when the stack is deleted."""
    log_retention: RetentionDays
    """How long its log is kept; a month by default."""
    max_event_age: Duration
    """How long Lambda keeps trying an asynchronous event; Lambda's default is 6 hours."""
    memory_size: int
    """In MB; 256 by default."""
    metrics: bool
    """Whether the function writes metrics with its log, as it does by default. Each distinct metric costs money."""
    powertools: Powertools
    retry_attempts: int
    """How often Lambda tries an asynchronous event again, 0 to 2; Lambda's default is 2."""
    role: AnyRole
    """A role to use in place of the one that is made; it gets what the function needs."""
    runtime: Runtime
    """Python 3.13 by default, 3.11 or newer. The code is packed for it."""
    timeout: Duration
    """By default 14 seconds for a synchronous rule, since WorkMail waits 15 (T1), and a minute for an asynchronous
    one."""


def option_problems(options: FunctionOptions, *, run: Run) -> list[str]:
    """Return what is wrong with the options of a function to make."""
    problems = []
    environment = options.get("environment", {})
    if MESSAGE_BUCKET_VARIABLE in environment:
        problems.append(
            f"environment: found {MESSAGE_BUCKET_VARIABLE}, which RunLambdaRule sets itself; give the bucket as "
            "message_bucket"
        )
    if METRICS_VARIABLE in environment:
        problems.append(f"environment: found {METRICS_VARIABLE}, which RunLambdaRule sets itself; give metrics=False")
    metrics = options.get("metrics", True)
    if not isinstance(metrics, bool):
        problems.append(f"metrics: found {metrics!r}; give True or False")
    powertools = options.get("powertools")
    if powertools is not None and (twice := sorted(powertools.environment().keys() & environment.keys())):
        problems.append(f"environment: found {', '.join(twice)} beside powertools, which sets it; give one of the two")
    if run.is_synchronous:
        problems += (
            f"{name}: found on a synchronous rule, which WorkMail itself retries until the rule timeout is over (T2); "
            "give run a rule_timeout"
            for name in ("max_event_age", "retry_attempts")
            if name in options
        )
    if "snap_start" in options and "alias" not in options:
        problems.append(
            "snap_start: found without alias; Lambda snapshots versions only: give the rule an alias to run"
        )
    return problems


def new_log_group(scope: Construct, options: FunctionOptions, *, record: StackRecord) -> LogGroup:
    """Make the log group of a function. CloudWatch Logs may then use its key, if it has one."""
    key = options.get("log_encryption_key")
    if key is not None:
        _let_logs_use(scope, key, record=record)
    return LogGroup(
        scope,
        "LogGroup",
        retention=options.get("log_retention", defaults.LOG_RETENTION),
        encryption_key=key,
        removal_policy=options.get("log_removal_policy"),
    )


def new_function(
    scope: Construct,
    code: RuleCode,
    *,
    owner: FunctionRecord,
    run: Run,
    content: ContentGrant,
    log_group: LogGroup,
    description: str | None,
    options: FunctionOptions,
) -> Function:
    """Make the function of the rule `scope`; its role may write to this log group only and do what `content` grants."""
    environment = dict(options.get("environment", {}))
    if "powertools" in options:
        environment.update(options["powertools"].environment())
    if content.message_bucket is not None:
        environment[MESSAGE_BUCKET_VARIABLE] = content.message_bucket.bucket_name
    if not options.get("metrics", True):
        environment[METRICS_VARIABLE] = METRICS_OFF
    given_role = options.get("role")
    # A role that is made here gets its rights with the function. Not the role that CDK makes: it may write to every log
    # group of the account.
    role = given_role or Role(scope, "Role", assumed_by=_LAMBDA)
    made_role = role if given_role is None else None
    if made_role is not None:
        log_group.grant_write(made_role)
    runs_alias = "alias" in options
    has_destination = not (run.is_synchronous or runs_alias or given_role)
    passed: Any = {name: value for name, value in options.items() if name in PassedOptions.__annotations__}
    # A struct among CDK's own options may be given as a `dict`, which only CDK's constructor converts.
    make = Function if passed else _new_function
    function = make(
        scope,
        "Function",
        runtime=options.get("runtime", RUNTIME),
        architecture=options.get("architecture", _ARCHITECTURE),
        code=code.unchecked_in_stack(
            owner.record.stack, runtime=options.get("runtime"), architecture=options.get("architecture")
        ),
        handler=code.handler,
        memory_size=options.get("memory_size", defaults.MEMORY_MB),
        timeout=options.get("timeout") or (_SYNCHRONOUS_TIMEOUT if run.is_synchronous else _ASYNCHRONOUS_TIMEOUT),
        log_group=log_group,
        description=description,
        role=cast("IRole", role),
        environment=environment or None,
        initial_policy=([*content.statements] or None) if made_role is not None else None,
        on_failure=_destination(owner) if has_destination else None,
        retry_attempts=None if runs_alias else options.get("retry_attempts"),
        max_event_age=None if runs_alias else options.get("max_event_age"),
        **passed,
    )
    if "snap_start" in options:
        Annotations.of(function).acknowledge_warning(_SNAP_START_WARNING, "the rule runs an alias of a version")
    owner.adopt(function, with_queue=has_destination)
    extra = [*_network_statements()] if "vpc" in options else []
    if made_role is None:
        extra += [_log_statement(log_group), *content.statements]
    if extra:
        owner.grant(scope, extra)
    return function


def new_alias(scope: Construct, name: str, function: Function, options: FunctionOptions) -> Alias:
    """Make the alias that the rule runs; it moves to each new version of the function."""
    return Alias(
        scope,
        "Alias",
        alias_name=name,
        version=cast("IVersion", function.current_version),
        retry_attempts=options.get("retry_attempts"),
        max_event_age=options.get("max_event_age"),
    )


def complete_function(
    scope: Construct,
    named: AnyFunction,
    *,
    owner: FunctionRecord,
    here: StackRecord,
    run: Run,
    content: ContentGrant,
) -> None:
    """Add to an existing function what it lacks for the rule `scope`.

    A function of another Region or account is an error, and so is one that is too slow for a synchronous rule. Where
    CDK cannot change an imported function, a warning says what to add.
    """
    guard_place(
        scope,
        here,
        what=f"the function {named.node.path}",
        region=named.env.region,
        account=named.env.account,
        remedy="give the rule a function of its own stack's Region and account",
    )
    if isinstance(named, Version):
        add_warning(
            scope,
            "WorkMailVersion",
            found=f"the version {named.node.path}, whose ARN changes with the function's code",
            allowed="the function or an alias of it: a person types the ARN in the console, and a version that is gone "
            "gives mail the fallback action (T2)",
            remedy="give an alias of the version",
        )
    owner.grant(scope, content.statements)
    if content.message_bucket is not None:
        owner.name_bucket(scope, content.message_bucket)


def _destination(owner: FunctionRecord) -> IDestination:
    # It is one, except for a parameter's name.
    return cast("IDestination", SqsDestination(owner.new_on_failure_queue()))


def _log_statement(log_group: LogGroup) -> PolicyStatement:
    return PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn])


def _network_statements() -> list[PolicyStatement]:
    """Return the right to put a function into a VPC, without the log rights of AWS's managed policy.

    Lambda refuses a role that may do this to some network interfaces only: they do not exist yet.
    """
    return [PolicyStatement(actions=[*NETWORK_ACTIONS], resources=["*"])]


def _let_logs_use(scope: Construct, key: AnyKey, *, record: StackRecord) -> None:
    """Let CloudWatch Logs encrypt with a key, for log groups of this account and Region.

    Not for the one log group alone: it names the key, so the key's policy cannot name it.
    """
    groups = f"arn:aws:logs:{record.region}:{record.account}:log-group:*"
    statement = PolicyStatement(
        principals=[cast("IPrincipal", ServicePrincipal(f"logs.{record.region}.amazonaws.com"))],
        actions=[*LOG_KEY_ACTIONS],
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    )
    if (key, groups) in record.app.log_keys:
        return
    record.app.log_keys.add((key, groups))
    require_statement(
        key,
        statement,
        scope=scope,
        id="WorkMailLogKeyPolicy",
        found="an imported KMS key for the log group, whose policy CDK cannot change",
        allowed="a key with which CloudWatch Logs may encrypt; otherwise the log group cannot be made",
        remedy="add this to its policy where the key is defined",
    )
