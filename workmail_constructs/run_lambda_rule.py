"""The one statement: a function that WorkMail runs on the mail of an email flow rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

import jsii
from aws_cdk.aws_iam import IGrantable, IPrincipal
from aws_cdk.aws_lambda import CfnPermission
from aws_cdk.aws_logs import LogGroup
from constructs import Construct

from workmail_constructs import defaults
from workmail_constructs.content_access import ContentAccess, content_grant
from workmail_constructs.email_flow_rules import EmailFlowRules, flow_rule, function_arn_output
from workmail_constructs.guards import guard_place, guard_region
from workmail_constructs.rule_function import FunctionOptions, complete_function, new_function, new_on_failure_queue
from workmail_constructs.stack_record import StackRecord
from workmail_flow.arns import INVOKE_FUNCTION, workmail_principal
from workmail_flow.packed_code import MESSAGE_BUCKET_VARIABLE
from workmail_flow.rule_problems import RuleError
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import CfnOutput, Duration
    from aws_cdk.aws_cloudwatch import Metric, Unit
    from aws_cdk.aws_iam import IRole
    from aws_cdk.aws_logs import ILogGroup
    from aws_cdk.aws_sqs import IQueue

    from workmail_constructs.interfaces import AnyBucket, AnyFunction, AnyKey
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.rule_code import RuleCode
    from workmail_constructs.run import Run
    from workmail_flow.flow_rule import FlowRule


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


@jsii.implements(IGrantable)
class RunLambdaRule(Construct):
    """Everything that a Run Lambda email flow rule needs, except the rule itself, which no API can create (L7).

    Makes the function with its own role and log group, or takes an existing one. Lets WorkMail invoke it for this
    organization and no other (L4). Grants the rights on message content that `content_access` asks for, on the
    organization's messages of this direction (C3). For updates, makes the bucket that WorkMail reads (C5). For
    asynchronous runs, makes a queue that keeps the events whose function failed. Declares the rule in the stack's
    `EmailFlowRules`, and has an output with the ARN to paste in the console.
    """

    organization: WorkMailOrganization
    direction: FlowDirection
    function: AnyFunction
    """The function that was made, or the function, version or alias that was given."""
    log_group: ILogGroup | None
    """The log group of the function that was made; None for an existing function."""
    on_failure_queue: IQueue | None
    """Where events go whose asynchronous function failed for good; None for synchronous rules, and for a function that
    has a destination or dead-letter queue of its own."""
    message_bucket: AnyBucket | None
    """Where updated messages are put for WorkMail to read; None without `ContentAccess.UPDATE`."""
    invoke_permission: CfnPermission
    """Lets WorkMail invoke the function; rules of one organization that share a function share the permission."""
    function_arn_output: CfnOutput
    """The ARN to paste in the console."""
    email_flow_rule: FlowRule
    """The rule as an administrator has to create it."""

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
            direction: Which mail the rule sees.
            run: Whether mail waits for the function.
            code: The code of the function to make; give either this or `function`.
            function: An existing function of any runtime, or an alias or version of one; what it lacks is added.
            content_access: What the function may do with message content.
            senders: 1 to 250 patterns (F4, F6): `mary@example.com`, `example.com`, `*.example.com` or `*`.
            destinations: Patterns of the same kinds; a synchronous rule supports only `*` (F12).
            name: The rule's name, unique in the organization (F1); by default the construct's id.
            acknowledge: The lint findings to accept for this rule: each code with the reason.
            message_bucket: An existing bucket for updated messages, in the same Region and account; its policy gets
                what WorkMail needs. By default each function has its own, so that none can write another's messages.
            message_key: A KMS key for the bucket that is made; S3's own key by default.
            **function_options: How to make the function; see `FunctionOptions`. Not for an existing function.

        Raises:
            RuleError: WorkMail would not take the rule; every problem is named with its argument.
            ValueError: Arguments that contradict each other, or an unknown argument.
            TypeError: One string where a list of patterns is needed.
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
            acknowledge=dict(acknowledge or {}),
        )
        super().__init__(scope, id)
        record = StackRecord.of(scope)
        guard_region(record)
        guard_place(
            self,
            record,
            what=f"organization {organization.organization_id}",
            region=organization.region,
            account=organization.account,
            remedy="put the rule into a stack of the organization's Region and account, or name another organization",
        )
        self.organization = organization
        self.direction = rule.direction

        content = content_grant(
            self,
            content_access,
            record=record,
            organization=organization,
            direction=rule.direction,
            message_bucket=message_bucket or (record.app.message_buckets.get(function) if function else None),
            message_key=message_key,
        )
        self.message_bucket = content.message_bucket
        if code is not None:
            self.on_failure_queue = None if run.is_synchronous else new_on_failure_queue(self)
            retention = function_options.get("log_retention", defaults.LOG_RETENTION)
            self.log_group = LogGroup(self, "LogGroup", retention=retention)
            self.function = new_function(
                self,
                code,
                record=record,
                run=run,
                content=content,
                log_group=self.log_group,
                on_failure_queue=self.on_failure_queue,
                options=function_options,
            )
        elif function is not None:
            self.function = function
            self.log_group = None
            self.on_failure_queue = complete_function(self, function, record=record, run=run, content=content)
        if content.message_bucket is not None:
            record.app.message_buckets[self.function] = content.message_bucket

        arn = self.function.function_arn
        self.invoke_permission = self._invoke_permission(record, arn)
        self.email_flow_rule = replace(rule, function=arn)
        self.function_arn_output = function_arn_output(self, record, self.email_flow_rule)
        EmailFlowRules.of(record.stack).add(
            self.email_flow_rule, organization=organization, scope=self, function_arn_output=self.function_arn_output
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

    def _invoke_permission(self, record: StackRecord, function_arn: str) -> CfnPermission:
        organization_arn = self.organization.organization_arn
        permission = record.permissions.get((self.function, organization_arn))
        if permission is None:
            permission = CfnPermission(
                self,
                "InvokePermission",
                action=INVOKE_FUNCTION,
                function_name=function_arn,
                principal=workmail_principal(record.region),
                source_arn=organization_arn,
            )
            record.permissions[self.function, organization_arn] = permission
        return permission


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
        problems.append(f"{', '.join(unknown)}: unknown argument; see RunLambdaRule and FunctionOptions")
    elif function is not None and function_options:
        problems.append(
            f"{', '.join(sorted(function_options))}: found beside function; an existing function brings its own, so "
            "set it where the function is defined"
        )
    if content_access is ContentAccess.UPDATE and not run.is_synchronous:
        problems.append(
            "content_access: found UPDATE on an asynchronous rule; only an update by a synchronous rule's function has "
            "an effect (C4): run the rule synchronously, or ask for READ"
        )
    if content_access is not ContentAccess.UPDATE:
        problems += (
            f"{argument}: found with content_access {content_access}; only UPDATE has a bucket"
            for argument, value in (("message_bucket", message_bucket), ("message_key", message_key))
            if value is not None
        )
    elif message_bucket is not None and message_key is not None:
        problems.append("message_key: found beside message_bucket; an existing bucket brings its own key")
    if MESSAGE_BUCKET_VARIABLE in function_options.get("environment", {}):
        problems.append(
            f"environment: found {MESSAGE_BUCKET_VARIABLE}, which RunLambdaRule sets itself; give the bucket as "
            "message_bucket"
        )
    if problems:
        raise ValueError("\n".join([f"RunLambdaRule {rule_id!r}:", *(f"  {problem}" for problem in problems)]))


# The arguments whose names differ in a rule file.
_ARGUMENT_OF: Final = {"fallback": "run.fallback", "ruleTimeoutMinutes": "run.rule_timeout"}


def _flow_rule(name: str, *, run: Run, content_access: ContentAccess, **matching: Any) -> FlowRule:
    """Return the rule without its function, which is not made before the rule is known to be right."""
    try:
        return flow_rule(
            name,
            RuleAction.RUN_LAMBDA,
            **matching,
            synchronous=run.is_synchronous,
            fallback=run.fallback and run.fallback.value,
            ruleTimeoutMinutes=run.rule_timeout_minutes,
            readsContent=content_access is not ContentAccess.NONE,
        )
    except RuleError as error:
        problems = [replace(each, path=_ARGUMENT_OF.get(each.path, each.path)) for each in error.problems]
        raise RuleError(f"RunLambdaRule {name!r}: WorkMail would not take the rule", problems) from None
