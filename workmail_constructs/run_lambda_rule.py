"""The one statement: a function that WorkMail runs on the mail of an email flow rule."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack, cast
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import CfnOutput, Duration
from aws_cdk.aws_iam import IGrantable, IPrincipal, Role, ServicePrincipal
from aws_cdk.aws_lambda import Alias, Architecture, CfnPermission, Function, Runtime, Version
from aws_cdk.aws_lambda_destinations import SqsDestination
from aws_cdk.aws_logs import LogGroup, RetentionDays
from aws_cdk.aws_sqs import Queue, QueueEncryption
from constructs import Construct

from workmail_constructs import defaults
from workmail_constructs.content_access import (
    BUCKET_VARIABLE,
    ContentAccess,
    check_message_bucket,
    content_statements,
    key_statement,
    let_workmail_read,
    new_message_bucket,
    put_statement,
)
from workmail_constructs.email_flow_rules import EmailFlowRules
from workmail_constructs.problems import add_problem, add_warning
from workmail_constructs.regions import environment_of, guard_place, guard_region, stack_of
from workmail_flow.flow_rule import FlowRule
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS
from workmail_flow.rule_problems import RuleError
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Stack
    from aws_cdk.aws_cloudwatch import Metric, Unit
    from aws_cdk.aws_iam import IRole, PolicyStatement
    from aws_cdk.aws_lambda import FunctionBase, IDestination, IFunction
    from aws_cdk.aws_logs import ILogGroup
    from aws_cdk.aws_sqs import IQueue

    from workmail_constructs.content_access import AnyBucket, AnyKey
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.rule_code import RuleCode
    from workmail_constructs.run import Run

    # To pyright the classes are not quite the interfaces they implement.
    AnyFunction = IFunction | FunctionBase


class MetricOptions(TypedDict, total=False):
    """The options that CDK's metrics take."""

    account: str
    color: str
    dimensions_map: Mapping[str, str]
    label: str
    period: Duration
    region: str
    stack_account: str
    stack_region: str
    statistic: str
    unit: Unit


class FunctionOptions(TypedDict, total=False):
    """How `RunLambdaRule` makes its function; an existing function brings its own."""

    description: str
    environment: Mapping[str, str]
    log_retention: RetentionDays
    """How long its log is kept; a month by default."""
    memory_size: int
    """In MB; 256 by default."""
    timeout: Duration
    """By default 14 seconds for a synchronous rule, which WorkMail waits 15 for (T1), and a minute for others."""


@jsii.implements(IGrantable)
class RunLambdaRule(Construct):
    """A Run Lambda email flow rule, but for the click in the console that no API can do (L7).

    Makes the function with its own role and log group, or takes an existing one; lets WorkMail invoke it for this
    organization and no other (L4); gives it the rights on message content that were asked for, on the organization's
    messages of this direction (C3); for updates makes the bucket that WorkMail reads (C5); for asynchronous runs makes
    a queue that keeps the events whose function failed; declares the rule in the stack's `EmailFlowRules`; and shows in
    an output the ARN to paste in the console.
    """

    function: AnyFunction
    """The function: the one made here, or the function, version or alias that was given."""
    invoke_permission: CfnPermission
    """What lets WorkMail invoke it; rules of one organization that share a function share the permission."""
    message_bucket: AnyBucket | None
    """Where updated messages are put for WorkMail to read; None without `ContentAccess.UPDATE`."""
    on_failure_queue: IQueue | None
    """Where events go whose asynchronous function failed for good; None for synchronous rules, and for a function that
    has a destination or dead-letter queue of its own."""
    log_group: ILogGroup | None
    """The function's log group; None for an existing function, whose log is its own affair."""
    function_arn_output: CfnOutput
    """The ARN to paste in the console."""
    email_flow_rule: FlowRule
    """The rule as an administrator has to create it."""
    organization: WorkMailOrganization
    direction: FlowDirection

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        *,
        organization: WorkMailOrganization,
        direction: FlowDirection,
        run: Run,
        code: RuleCode | None = None,
        function: AnyFunction | None = None,
        content_access: ContentAccess = ContentAccess.NONE,
        senders: Sequence[str] = ("*",),
        destinations: Sequence[str] = ("*",),
        name: str | None = None,
        acknowledge: Mapping[str, str] | None = None,
        message_bucket: AnyBucket | None = None,
        message_key: AnyKey | None = None,
        **function_options: Unpack[FunctionOptions],
    ) -> None:
        """Make the rule.

        Args:
            scope: A stack in the organization's Region and account (L2), or a construct in one.
            id: The construct's id.
            organization: The organization the rule is to be created in.
            direction: Which mail it sees.
            run: Whether mail waits for the function.
            code: The code of the function to make; either this or `function`.
            function: An existing function of any runtime, or an alias or version of one; what it lacks is added.
            content_access: What the function may do with message content.
            senders: 1 to 250 patterns (F4, F6): `mary@example.com`, `example.com`, `*.example.com` or `*`.
            destinations: Patterns, as the senders'; a synchronous rule supports `*` only (F12).
            name: The rule's name, unique in the organization (F1); by default the construct's id.
            acknowledge: The lint findings to accept for this rule: each code with the reason why.
            message_bucket: An existing bucket for updated messages, in the same Region and account; its policy gets
                what WorkMail needs. By default each function has its own, so that none can write another's messages.
            message_key: A KMS key for the bucket made here; S3's own by default.
            **function_options: How to make the function; see `FunctionOptions`. Not for an existing function.

        Raises:
            RuleError: WorkMail would not take the rule; every problem is told with its argument's name.
            ValueError: Arguments that do not go together, or that are out of range.
        """
        _check_arguments(
            id,
            run=run,
            code=code,
            function=function,
            content_access=content_access,
            message_bucket=message_bucket,
            message_key=message_key,
            function_options=function_options,
        )
        rule = _flow_rule(
            name or id,
            direction=direction,
            run=run,
            content_access=content_access,
            senders=senders,
            destinations=destinations,
            acknowledge=acknowledge or {},
        )
        super().__init__(scope, id)
        self.organization = organization
        self.direction = rule.direction
        self._stack = stack = stack_of(scope)
        guard_region(stack)
        self._guard_organization()

        self.message_bucket = None
        if content_access is ContentAccess.UPDATE:
            shared = None if function is None else _BUCKETS.get(function)
            self.message_bucket = self._bucket(message_bucket or shared, message_key)
        statements = self._statements(content_access)
        if code is not None:
            self._make_function(code, run=run, statements=statements, options=function_options)
        elif function is not None:
            self._take_function(function, run=run, statements=statements)

        arn = self.function.function_arn
        self.invoke_permission = self._permission(arn)
        if self.message_bucket is not None:
            _BUCKETS[self.function] = self.message_bucket
        self.function_arn_output = CfnOutput(
            self,
            "FunctionArn",
            value=arn,
            description=f"For the {rule.direction.lower()} email flow rule {rule.name} in the WorkMail console",
        )
        self.email_flow_rule = replace(rule, function=arn)
        EmailFlowRules.of(stack).add(
            self.email_flow_rule,
            organization=organization,
            scope=self,
            function_arn_output=self.function_arn_output,
        )

    @property
    def role(self) -> IRole | None:
        """The function's role; None for an imported function whose role is not known."""
        return self.function.role

    @property
    @jsii.member(jsii_name="grantPrincipal")
    def grant_principal(self) -> IPrincipal:
        """The function's role, so that the rule itself may be granted to: `table.grant_read_data(rule)`."""
        return self.function.grant_principal

    def metric_invocations(self, **options: Unpack[MetricOptions]) -> Metric:
        """How often the function was invoked, retries included; the sum over 5 minutes by default."""
        return self.function.metric_invocations(**options)

    def metric_errors(self, **options: Unpack[MetricOptions]) -> Metric:
        """How often it failed; the sum over 5 minutes by default."""
        return self.function.metric_errors(**options)

    def metric_duration(self, **options: Unpack[MetricOptions]) -> Metric:
        """How long it ran, in milliseconds; the average over 5 minutes by default."""
        return self.function.metric_duration(**options)

    def metric_throttles(self, **options: Unpack[MetricOptions]) -> Metric:
        """How often Lambda refused to run it; the sum over 5 minutes by default."""
        return self.function.metric_throttles(**options)

    def _guard_organization(self) -> None:
        guard_place(
            self,
            self._stack,
            what="an organization",
            region=self.organization.region,
            account=self.organization.account,
            remedy="put the rule into a stack of the organization's Region and account, or name another organization",
        )

    def _bucket(self, given: AnyBucket | None, key: AnyKey | None) -> AnyBucket:
        if given is not None:
            check_message_bucket(self, given)
        bucket = given or new_message_bucket(self, key=key)
        let_workmail_read(bucket, organization=self.organization, environment=environment_of(self._stack))
        return bucket

    def _statements(self, access: ContentAccess) -> list[PolicyStatement]:
        statements = content_statements(
            access, organization=self.organization, direction=self.direction, stack=self._stack
        )
        bucket = self.message_bucket
        if bucket is not None:
            statements.append(put_statement(bucket))
            if bucket.encryption_key is not None:
                statements.append(key_statement(bucket.encryption_key))
        return statements

    def _make_function(
        self, code: RuleCode, *, run: Run, statements: list[PolicyStatement], options: FunctionOptions
    ) -> None:
        timeout = options.get("timeout") or _default_timeout(run)
        if run.is_synchronous and "timeout" in options:
            self._guard_timeout(timeout)
        environment = dict(options.get("environment", {}))
        if self.message_bucket is not None:
            environment[BUCKET_VARIABLE] = self.message_bucket.bucket_name
        queue = self.on_failure_queue = None if run.is_synchronous else self._new_on_failure_queue()
        self.log_group = LogGroup(self, "LogGroup", retention=options.get("log_retention", defaults.LOG_RETENTION))
        # Not CDK's own role: that may write to every log group of the account.
        role = Role(self, "Role", assumed_by=_lambda())
        self.log_group.grant_write(role)
        self.function = Function(
            self,
            "Function",
            runtime=_runtime(),
            architecture=_architecture(),
            code=code.in_stack(self._stack),
            handler=code.handler,
            memory_size=options.get("memory_size", defaults.MEMORY_MB),
            timeout=timeout,
            log_group=self.log_group,
            role=cast("IRole", role),
            description=options.get("description"),
            environment=environment or None,
            initial_policy=statements or None,
            on_failure=None if queue is None else _destination(queue),
        )

    def _take_function(self, function: AnyFunction, *, run: Run, statements: list[PolicyStatement]) -> None:
        self.function = function
        self.log_group = None
        self.on_failure_queue = None
        guard_place(
            self,
            self._stack,
            what=f"the function {function.node.path}",
            region=function.env.region,
            account=function.env.account,
            remedy="give the rule a function of its own stack's Region and account",
        )
        made_here = _function_behind(function)
        if run.is_synchronous and made_here is not None:
            if made_here.timeout is not None:  # Lambda's default is 3 seconds
                self._guard_timeout(made_here.timeout)
        elif not run.is_synchronous:
            self._keep_failed_events(function, made_here)
        if statements:
            self._grant(function, statements)
        if self.message_bucket is not None:
            self._tell_bucket(made_here, self.message_bucket)

    def _guard_timeout(self, timeout: Duration) -> None:
        seconds = timeout.to_seconds()
        if seconds >= SYNCHRONOUS_LIMIT_SECONDS:
            add_problem(
                self,
                "WorkMailSynchronousTimeout",
                found=f"a function timeout of {seconds:g} seconds on a synchronous rule",
                allowed=f"less than {SYNCHRONOUS_LIMIT_SECONDS} seconds, which is how long WorkMail waits (T1)",
                remedy=f"set timeout to {defaults.SYNCHRONOUS_TIMEOUT_SECONDS} seconds or less, or run the rule "
                "asynchronously",
            )

    def _keep_failed_events(self, function: AnyFunction, made_here: Function | None) -> None:
        if function.node.try_find_child("EventInvokeConfig") is not None:
            return
        if made_here is not None and (made_here.dead_letter_queue or made_here.dead_letter_topic):
            return
        if function.role is None:
            add_warning(
                self,
                "WorkMailOnFailure",
                found="an asynchronous rule with an imported function whose role is not known",
                allowed="an on-failure destination, without which events are lost that the function fails on",
                remedy="import it with its role (Function.from_function_attributes), or see to a destination where it "
                "is defined",
            )
            return
        self.on_failure_queue = self._new_on_failure_queue()
        function.configure_async_invoke(on_failure=_destination(self.on_failure_queue))

    def _new_on_failure_queue(self) -> Queue:
        return Queue(
            self,
            "OnFailure",
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_on_failure_retention(),
        )

    def _grant(self, function: AnyFunction, statements: list[PolicyStatement]) -> None:
        role = function.role
        added = [role is not None and role.add_to_principal_policy(each).statement_added for each in statements]
        if not all(added):
            add_warning(
                self,
                "WorkMailContentRights",
                found="a function whose role CDK does not know or cannot change",
                allowed="rights on message content, such as workmailmessageflow:GetRawMessageContent, for "
                "content_access to mean anything (C3)",
                remedy="grant them where the role is defined, or import the function with its role "
                "(Function.from_function_attributes)",
            )

    def _tell_bucket(self, made_here: Function | None, bucket: AnyBucket) -> None:
        if made_here is not None:
            made_here.add_environment(BUCKET_VARIABLE, bucket.bucket_name)
        else:
            add_warning(
                self,
                "WorkMailMessageBucketVariable",
                found="an imported function, whose environment CDK cannot change",
                allowed=f"the environment variable {BUCKET_VARIABLE} with the name of the bucket for updated messages",
                remedy="set it where the function is defined, or give its code the bucket in another way",
            )

    def _permission(self, function_arn: str) -> CfnPermission:
        permissions = _PERMISSIONS.setdefault(self.function, {})
        shared = (self._stack, self.organization.organization_arn)
        permission = permissions.get(shared)
        if permission is None:
            permission = permissions[shared] = CfnPermission(
                self,
                "InvokePermission",
                action="lambda:InvokeFunction",
                function_name=function_arn,
                principal=f"workmail.{environment_of(self._stack).region}.amazonaws.com",
                source_arn=self.organization.organization_arn,
            )
        return permission


# By the function that puts into it: rules that share a function share the bucket, since it knows one.
_BUCKETS: Final[WeakKeyDictionary[AnyFunction, AnyBucket]] = WeakKeyDictionary()

# By function, then by the stack and the organization that a permission is for.
_PERMISSIONS: Final[WeakKeyDictionary[AnyFunction, dict[tuple[Stack, str], CfnPermission]]] = WeakKeyDictionary()


@cache
def _runtime() -> Runtime:
    return Runtime.PYTHON_3_13


@cache
def _architecture() -> Architecture:
    return Architecture.ARM_64  # cheaper than x86_64 for the same work, in all of WorkMail's Regions


@cache
def _seconds(seconds: int) -> Duration:
    return Duration.seconds(seconds)


@cache
def _on_failure_retention() -> Duration:
    return Duration.days(defaults.ON_FAILURE_RETENTION_DAYS)


def _destination(queue: Queue) -> IDestination:
    return cast("IDestination", SqsDestination(queue))  # it is one, but for a parameter's name


@cache
def _lambda() -> IPrincipal:
    return cast("IPrincipal", ServicePrincipal("lambda.amazonaws.com"))


def _default_timeout(run: Run) -> Duration:
    return _seconds(
        defaults.SYNCHRONOUS_TIMEOUT_SECONDS if run.is_synchronous else defaults.ASYNCHRONOUS_TIMEOUT_SECONDS
    )


def _function_behind(function: AnyFunction) -> Function | None:
    """Return the function that a function, version or alias is of, if this app makes it."""
    if isinstance(function, Alias):
        function = function.version
    if isinstance(function, Version):
        function = function.lambda_
    return function if isinstance(function, Function) else None


def _check_arguments(
    rule_id: str,
    *,
    run: Run,
    code: RuleCode | None,
    function: AnyFunction | None,
    content_access: ContentAccess,
    message_bucket: AnyBucket | None,
    message_key: AnyKey | None,
    function_options: FunctionOptions,
) -> None:
    problems = []
    if (code is None) == (function is None):
        found = "neither" if code is None else "both"
        problems.append(f"code, function: found {found}; give the code of a function to make, or an existing function")
    unknown = sorted(set(function_options) - FunctionOptions.__annotations__.keys())
    if unknown:
        problems.append(f"{', '.join(unknown)}: found an argument there is not; see RunLambdaRule and FunctionOptions")
    elif function is not None and function_options:
        problems.append(
            f"{', '.join(sorted(function_options))}: found beside function; an existing function brings its own, so "
            "set it where the function is defined"
        )
    if content_access is ContentAccess.UPDATE and not run.is_synchronous:
        problems.append(
            "content_access: found UPDATE on an asynchronous rule; an update shows only when a synchronous rule's "
            "function makes it (C4): run the rule synchronously, or ask for READ"
        )
    if content_access is not ContentAccess.UPDATE:
        problems += (
            f"{argument}: found with content_access {content_access}; only UPDATE has a bucket"
            for argument, value in (("message_bucket", message_bucket), ("message_key", message_key))
            if value is not None
        )
    elif message_bucket is not None and message_key is not None:
        problems.append("message_key: found beside message_bucket; an existing bucket brings its own key")
    if BUCKET_VARIABLE in function_options.get("environment", {}):
        problems.append(f"environment: found {BUCKET_VARIABLE}, which is set here; give the bucket as message_bucket")
    if problems:
        raise ValueError("\n".join([f"RunLambdaRule {rule_id!r}:", *(f"  {problem}" for problem in problems)]))


# What the rule file calls otherwise than the arguments here.
_ARGUMENT_OF: Final = {"fallback": "run.fallback", "ruleTimeoutMinutes": "run.rule_timeout"}


def _flow_rule(
    name: str,
    *,
    direction: FlowDirection,
    run: Run,
    content_access: ContentAccess,
    senders: Sequence[str],
    destinations: Sequence[str],
    acknowledge: Mapping[str, str],
) -> FlowRule:
    """Return the rule, but for its function; whatever is wrong with it is raised before anything is made."""
    entry: dict[str, Any] = {
        "name": name,
        "direction": str(direction).lower(),
        "action": RuleAction.RUN_LAMBDA.value,
        "senders": _listed("senders", senders),
        "destinations": _listed("destinations", destinations),
        "synchronous": run.is_synchronous,
        "readsContent": content_access is not ContentAccess.NONE,
        "acknowledge": dict(acknowledge),
    }
    if run.is_synchronous:
        entry["fallback"] = run.fallback and run.fallback.value
        entry["ruleTimeoutMinutes"] = run.rule_timeout_minutes
    try:
        return FlowRule.from_json(entry)
    except RuleError as error:
        problems = [replace(each, path=_ARGUMENT_OF.get(each.path, each.path)) for each in error.problems]
        raise RuleError(f"RunLambdaRule {name!r} is no rule WorkMail would take", problems) from None


def _listed(argument: str, patterns: Sequence[str]) -> list[str]:
    if isinstance(patterns, str):
        raise TypeError(f"{argument}: found the string {patterns!r}; give a list of patterns: [{patterns!r}]")
    return list(patterns)
