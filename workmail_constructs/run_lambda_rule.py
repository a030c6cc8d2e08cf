"""The one statement: a function that WorkMail runs on the mail of an email flow rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, NotRequired, TypedDict, TypeVar, Unpack, cast, overload

import jsii
from aws_cdk.aws_iam import IGrantable, IPrincipal
from aws_cdk.aws_lambda import CfnFunction, Function
from constructs import Construct

from workmail_constructs.content_access import ContentAccess, ContentGrant, content_grant
from workmail_constructs.cross_stack import reference_problems
from workmail_constructs.defaults import ALARM_DURATION_SECONDS
from workmail_constructs.email_flow_rules import EmailFlowRules, flow_rule, function_arn_output
from workmail_constructs.function_record import FunctionRecord
from workmail_constructs.guards import guard_place, guard_region
from workmail_constructs.message_bucket import MessageBucketOptions
from workmail_constructs.rule_arguments import check_no_text, content_problems, function_problems, steps_problems
from workmail_constructs.rule_function import (
    FunctionOptions,
    complete_function,
    new_alias,
    new_function,
    new_log_group,
    option_problems,
)
from workmail_constructs.stack_record import StackRecord, is_known
from workmail_constructs.steps.rule_steps import (
    bind_steps,
    content_access_of,
    steps_in_words,
    steps_of,
    warn_of_fallback,
)
from workmail_flow.flow_rule import is_one_line
from workmail_flow.rule_problems import RuleError
from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import CfnOutput, Duration, RemovalPolicy
    from aws_cdk.aws_cloudwatch import Metric, Unit
    from aws_cdk.aws_iam import IRole
    from aws_cdk.aws_lambda import Alias, CfnPermission
    from aws_cdk.aws_logs import ILogGroup
    from aws_cdk.aws_sqs import IQueue
    from typing_extensions import TypeVar as DefaultTypeVar

    from workmail_constructs.content_access import AnyContentAccess
    from workmail_constructs.interfaces import AnyAlarmAction, AnyBucket, AnyFunction, AnyKey
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.rule_code import RuleCode
    from workmail_constructs.run import Run
    from workmail_constructs.steps.step import Step
    from workmail_constructs.watching.rule_alarms import RuleAlarms
    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.words import AnyDirection

    FunctionT = DefaultTypeVar("FunctionT", bound=AnyFunction, default=Function)
else:
    FunctionT = TypeVar("FunctionT")

Part = TypeVar("Part")


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


class RuleArguments(TypedDict):
    """The arguments that every `RunLambdaRule` takes, for type checkers."""

    organization: WorkMailOrganization
    direction: AnyDirection
    run: Run
    content_access: NotRequired[AnyContentAccess]
    senders: NotRequired[Sequence[str]]
    destinations: NotRequired[Sequence[str]]
    name: NotRequired[str | None]
    description: NotRequired[str | None]
    owner: NotRequired[str | None]
    acknowledge: NotRequired[Mapping[str, str] | None]
    message_bucket: NotRequired[AnyBucket | None]
    message_key: NotRequired[AnyKey | None]
    message_bucket_removal_policy: NotRequired[RemovalPolicy | None]
    message_bucket_auto_delete_objects: NotRequired[bool]


class _MakingArguments(RuleArguments, FunctionOptions):
    pass


@jsii.implements(IGrantable)
class RunLambdaRule(Construct, Generic[FunctionT]):
    """Everything that a Run Lambda email flow rule needs, except the rule itself, which no API can create (L7).

    Makes the function with its own role and log group, or takes an existing one. Lets WorkMail invoke it for this
    organization and no other (L4). Grants the rights on message content that `content_access` asks for, on the
    organization's messages of this direction (C3). For updates, makes the bucket that WorkMail reads (C5). For
    asynchronous runs, makes a queue that keeps the events whose function failed. Declares the rule in the stack's
    `EmailFlowRules`, and has an output with the ARN to paste in the console.
    """

    organization: WorkMailOrganization
    direction: FlowDirection
    function: FunctionT
    """The function that was made, or the function, version or alias that was given."""
    on_failure_queue: IQueue | None
    """Where events go whose asynchronous function failed for good; None for synchronous rules, and for a function that
    has a destination or dead-letter queue of its own."""
    invoke_permission: CfnPermission
    """Lets WorkMail invoke the function; rules of one organization that share a function share the permission."""
    function_arn_output: CfnOutput
    """The ARN to paste in the console."""
    email_flow_rule: FlowRule
    """The rule as an administrator has to create it."""

    @overload
    def __init__(
        self: RunLambdaRule[Function],
        scope: Construct,
        id: str,
        *,
        code: RuleCode,
        **arguments: Unpack[_MakingArguments],
    ) -> None: ...

    @overload
    def __init__(
        self: RunLambdaRule[Function],
        scope: Construct,
        id: str,
        *,
        steps: Sequence[Step],
        **arguments: Unpack[_MakingArguments],
    ) -> None: ...

    @overload
    def __init__(
        self, scope: Construct, id: str, *, function: FunctionT, **arguments: Unpack[RuleArguments]
    ) -> None: ...

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        *,
        organization: WorkMailOrganization,
        direction: AnyDirection,
        run: Run,
        code: RuleCode | None = None,
        steps: Sequence[Step] | None = None,
        function: AnyFunction | None = None,
        content_access: AnyContentAccess | None = None,
        senders: Sequence[str] = ("*",),
        destinations: Sequence[str] = ("*",),
        name: str | None = None,
        description: str | None = None,
        owner: str | None = None,
        acknowledge: Mapping[str, str] | None = None,
        message_bucket: AnyBucket | None = None,
        message_key: AnyKey | None = None,
        message_bucket_removal_policy: RemovalPolicy | None = None,
        message_bucket_auto_delete_objects: bool = False,
        **function_options: Unpack[FunctionOptions],
    ) -> None:
        """Make the rule.

        Args:
            scope: A stack in the organization's Region and account (L2), or a construct in one.
            id: The construct's id.
            organization: The organization the rule is to be created in.
            direction: Which mail the rule sees.
            run: Whether mail waits for the function.
            code: The code of the function to make; give this, `steps` or `function`.
            steps: Steps to run in the function to make, in their order; content access follows from them.
            function: An existing function of any runtime, or an alias or version of one; what it lacks is added beside
                it, in its own stack.
            content_access: What the function may do with message content; nothing by default.
            senders: 1 to 250 patterns (F4, F6): `mary@example.com`, `example.com`, `*.example.com` or `*`.
            destinations: Patterns of the same kinds; a synchronous rule supports only `*` (F12).
            name: The rule's name, unique in the organization (F1); by default the construct's id.
            description: What the rule does, in one line, for the runbook and for the function that is made. By default
                the runbook names the steps, or has the first line of the handler's module, or what an existing function
                says of itself.
            owner: Whom to ask about the rule, in one line, for the runbook; by default it names this construct.
            acknowledge: The lint findings to accept for this rule: each code with the reason.
            message_bucket: An existing bucket for updated messages, in the same Region and account (C5); its policy
                gets what WorkMail needs. By default each function has its own, so that none can write another's
                messages.
            message_key: A KMS key for the bucket that is made; S3's own key by default.
            message_bucket_removal_policy: What happens to the bucket that is made when the stack is deleted; by default
                it stays, since mail in transit may need it.
            message_bucket_auto_delete_objects: Whether a bucket that is removed is emptied first. CDK makes a custom
                resource for it; needs the removal policy DESTROY.
            **function_options: How to make the function; see `FunctionOptions`. Not for an existing function.

        Raises:
            RuleError: WorkMail would not take the rule; every problem is named with its argument.
            ValueError: Arguments that contradict each other or those of another rule of the function, stacks that would
                need each other, or an unknown argument.
            TypeError: A string where a construct, a `Run` or a list of patterns is needed.
        """
        check_no_text(id, organization=organization, run=run, function=function, message_bucket=message_bucket)
        way = one_of(FlowDirection, direction, argument="direction")
        access = one_of(ContentAccess, content_access or ContentAccess.NONE, argument="content_access")
        bucket_options = MessageBucketOptions(
            bucket=message_bucket,
            key=message_key,
            removal_policy=message_bucket_removal_policy,
            auto_delete_objects=message_bucket_auto_delete_objects,
        )
        problems = [
            *function_problems(code, steps, function, function_options),
            *steps_problems(steps, content_access, function_options, run=run, direction=way, organization=organization),
            *option_problems(function_options, run=run),
        ]
        if steps is not None and not problems:
            access = content_access_of(steps_of(steps, way))
        problems += content_problems(access, run=run, bucket_options=bucket_options)
        here = StackRecord.of(scope)
        if function is None and not here.takes_assets:
            problems.append(
                f"code: found stack {here.stack.node.path} with the BootstraplessSynthesizer, which takes no code in "
                "files; give the stack another synthesizer, or give the rule an existing function"
            )
        of_function = FunctionRecord(here)
        if function is not None and not problems:
            of_function = FunctionRecord.of(function)
        if not problems:
            problems += reference_problems(
                here,
                of_function.record,
                organization=organization,
                bucket_options=bucket_options,
                function=function,
                options=function_options,
            )
            problems += of_function.bucket_problems(bucket_options) if access is ContentAccess.UPDATE else ()
        if problems:
            raise ValueError("\n".join([f"RunLambdaRule {id!r}:", *(f"  {problem}" for problem in problems)]))
        rule = _flow_rule(
            name or id,
            direction=way,
            run=run,
            content_access=access,
            senders=senders,
            destinations=destinations,
            description=_description(description, steps=steps, direction=way, code=code, function=function),
            owner=owner,
            acknowledge=dict(acknowledge or {}),
        )
        super().__init__(scope, id)
        guard_region(here)
        guard_place(
            self,
            here,
            what=f"organization {_named(organization)}",
            region=organization.region,
            account=organization.account,
            remedy="put the rule into a stack of the organization's Region and account, or name another organization",
        )
        self.organization = organization
        self.direction = rule.direction
        self._log_group: ILogGroup | None = None
        self._alias: Alias | None = None

        of_function.rule = self if function is None else of_function.rule
        content = content_grant(
            self,
            access,
            owner=of_function,
            organization=organization,
            direction=rule.direction,
            bucket_options=bucket_options,
        )
        self._message_bucket = content.message_bucket
        bound = None
        if steps is not None:
            bound = bind_steps(
                self,
                steps,
                record=here,
                organization=organization,
                direction=way,
                run=run,
                metrics=function_options.get("metrics", True),
            )
            code = bound.code
            content = ContentGrant((*content.statements, *bound.needs.statements), content.message_bucket)
            environment = {**function_options.get("environment", {}), **bound.needs.environment}
            function_options = {**function_options, "environment": environment}
            warn_of_fallback(self, steps_of(steps, way), run.fallback)
        if code is not None:
            log_group = new_log_group(self, function_options, record=here)
            made = new_function(
                self,
                code,
                owner=of_function,
                run=run,
                content=content,
                log_group=log_group,
                description=description,
                options=function_options,
            )
            self._log_group = log_group
            self.function = cast("FunctionT", made)
            alias = function_options.get("alias")
            self._alias = None if alias is None else new_alias(self, alias, made, function_options)
            for do in bound.needs.after if bound else ():
                do(made)
        elif function is not None:
            complete_function(self, function, owner=of_function, here=here, run=run, content=content)
            self.function = cast("FunctionT", function)
        named = self._alias or self.function
        self.on_failure_queue = None if run.is_synchronous else of_function.keep_failed_events(self, named)
        arn = named.function_arn
        self.invoke_permission = of_function.invoke_permission(named, arn, organization)
        if run.is_synchronous:
            of_function.synchronous_rules.append(self)
        here.checks[of_function.check] = None
        self.email_flow_rule = replace(rule, function=arn)
        self.function_arn_output = function_arn_output(self, here, self.email_flow_rule)
        declared = EmailFlowRules.of(here.stack)
        if of_function.record is not here:
            declared.keep_deployable()
        declared.add(
            self.email_flow_rule, organization=organization, scope=self, function_arn_output=self.function_arn_output
        )

    @property
    def log_group(self) -> ILogGroup:
        """The log group of the function that was made.

        Raises:
            AttributeError: The function was given.
        """
        return self._made("log_group", self._log_group, "an existing function has its own")

    @property
    def alias(self) -> Alias:
        """The alias that the rule runs, for example for a CodeDeploy deployment group.

        Raises:
            AttributeError: The argument `alias` was not given.
        """
        return self._made("alias", self._alias, "give the argument alias to get one")

    @property
    def message_bucket(self) -> AnyBucket:
        """Where updated messages are put for WorkMail to read.

        Raises:
            AttributeError: The content access is not UPDATE.
        """
        return self._made("message_bucket", self._message_bucket, "only content_access UPDATE has one")

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

    def add_alarms(
        self,
        *actions: AnyAlarmAction,
        errors: int | None = 1,
        throttles: int | None = 1,
        duration_s: float | None = ALARM_DURATION_SECONDS,
        failed_events: int | None = 1,
    ) -> RuleAlarms:
        """Add alarms for the function; without them nobody hears that a rule falls back.

        Each number is the smallest that raises an alarm, and None leaves that alarm out.

        Args:
            *actions: What the alarms do: a topic to publish to, or any alarm action.
            errors: Failed invocations in 5 minutes. One is enough: mail is late with the first, and with the fallback
                not treated as it should be.
            throttles: Invocations in 5 minutes that Lambda refused to run.
            duration_s: Seconds of the longest invocation in 5 minutes, at most the 15 that WorkMail waits (T1); the
                default leaves a fifth of them. Without effect on an asynchronous rule.
            failed_events: Events in `on_failure_queue`; their message content is readable for 24 hours (C2).

        Raises:
            ValueError: A number or action is not as described, or the rule has its alarms already.
        """
        from workmail_constructs.watching.rule_alarms import RuleAlarms  # alarm actions take a while to load

        return RuleAlarms(
            self,
            rule=self.email_flow_rule,
            function=self.function,
            on_failure_queue=self.on_failure_queue,
            actions=actions,
            errors=errors,
            throttles=throttles,
            duration_s=duration_s,
            failed_events=failed_events,
        )

    def _made(self, part: str, made: Part | None, remedy: str) -> Part:
        if made is None:
            raise AttributeError(f"{part}: found none at RunLambdaRule {self.node.path}; {remedy}")
        return made


def _named(organization: WorkMailOrganization) -> str:
    named = organization.alias or organization.organization_id
    return named if is_known(named) else organization.node.path


def _description(
    given: str | None,
    *,
    steps: Sequence[Step] | None,
    direction: FlowDirection,
    code: RuleCode | None,
    function: AnyFunction | None,
) -> str | None:
    """Return what the runbook says of the rule; a text that only the deployment knows is for the function alone."""
    if given is not None and is_known(given):
        return given
    if steps is not None:
        return steps_in_words(steps_of(steps, direction))
    found = code.summary if code is not None else None
    if isinstance(function, Function) and isinstance(resource := function.node.default_child, CfnFunction):
        found = resource.description
    return found if found and is_known(found) and is_one_line(found) else None


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
