"""WorkMail's event log: turned on, counted, and asked (W2-W4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack, cast
from weakref import WeakKeyDictionary

from aws_cdk import CustomResource, Stack
from aws_cdk.aws_cloudwatch import Metric
from aws_cdk.aws_iam import Policy, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_logs import CfnQueryDefinition, FilterPattern, MetricFilter
from constructs import Construct

from workmail_constructs.custom_resource_function import GIVE_UP, CustomResourceFunction
from workmail_constructs.defaults import (
    ALARM_HOURS_WITHOUT_RULE,
    ALARM_INCOMING_BOUNCES,
    ALARM_OUTGOING_BOUNCES,
    LOG_RETENTION,
)
from workmail_constructs.guards import guard_place, guard_region
from workmail_constructs.problems import add_problem
from workmail_constructs.resolved_hash import resolved_hash
from workmail_constructs.rule_function import FunctionOptions, new_log_group
from workmail_constructs.stack_record import StackRecord, is_known
from workmail_constructs.watching.email_event_queries import EMAIL_EVENT_QUERIES
from workmail_flow.arns import (
    DELETE_EVENT_LOGGING,
    DESCRIBE_EVENT_LOGGING,
    EVENT_LOGGING_PRINCIPAL,
    PUT_EVENT_LOGGING,
)
from workmail_flow.email_event_metrics import (
    INCOMING_BOUNCES,
    MAX_METRIC_FILTERS,
    OUTGOING_BOUNCES,
    bounce_pattern,
    events_namespace,
    rule_id,
    rule_metric,
    rule_pattern,
)
from workmail_flow.email_events import EventName
from workmail_flow.event_logging_resource import (
    EVENT_LOGGING_TYPE,
    LOG_GROUP_ARN,
    ORGANIZATION_ID,
    OVERWRITE,
    ROLE_ARN,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import RemovalPolicy
    from aws_cdk.aws_iam import IPrincipal, IRole
    from aws_cdk.aws_lambda import Function
    from aws_cdk.aws_logs import ILogGroup, LogGroup, RetentionDays

    from workmail_constructs.email_flow_rules import Declaration
    from workmail_constructs.interfaces import AnyAlarmAction, AnyKey
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.run_lambda_rule import MetricOptions
    from workmail_constructs.watching.email_event_alarms import EmailEventAlarms

_TIMEOUT_SECONDS: Final = 120
"""Enough for a right, a role and a log group that the same deployment made to count, with retries."""


class EmailEventLogging(Construct):
    """Has WorkMail log the email events of an organization, which its console calls email flow logs (W2).

    Makes the log group, and the role that WorkMail writes to it with. When the stack is deployed, a custom resource
    turns logging on, and when the stack is deleted it turns it off. Metrics count bounces and the declared email flow
    rules, from all stacks of the stage, as WorkMail applies them. The console of CloudWatch Logs Insights gets saved
    queries that a person fills in.

    An organization logs to one place only, so there is one of this for each organization.
    """

    organization: WorkMailOrganization
    log_group: LogGroup
    """Where WorkMail writes: addresses and subjects are in it."""
    role: Role
    """What WorkMail writes with; it may write to the log group and do nothing else."""
    function: Function
    """Turns logging on and off; all of a stack share it."""
    namespace: str
    """The CloudWatch namespace of the metrics: `WorkMailEvents/` and the organization's alias or id."""
    queries: Mapping[str, CfnQueryDefinition]
    """The saved queries, each by its name within their folder."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        *,
        organization: WorkMailOrganization,
        log_retention: RetentionDays = LOG_RETENTION,
        log_encryption_key: AnyKey | None = None,
        log_removal_policy: RemovalPolicy | None = None,
        overwrite: bool = False,
    ) -> None:
        """Turn logging on.

        Args:
            scope: A stack of the organization's Region and account, or a construct in one.
            id: The construct's id.
            organization: The organization whose email events are logged.
            log_retention: How long they are kept; a month by default, as with the console's own choice (W2).
            log_encryption_key: A KMS key for the log group; its policy gets what CloudWatch Logs needs.
            log_removal_policy: What happens to the log group when the stack is deleted; it stays by default.
            overwrite: Whether to take over from another log group that the organization logs to already. Without it
                the deployment fails then, and its message names that log group.

        Raises:
            TypeError: The organization is given as text.
            ValueError: Another one logs the same organization in this stage.
        """
        if isinstance(organization, str):
            raise TypeError(
                f"EmailEventLogging {id!r}: organization: found the text {organization!r}; give "
                "WorkMailOrganization.from_organization_id(…)"
            )
        here = StackRecord.of(scope)
        logged = (here.stage, organization.key)
        if logged in here.app.event_logs:
            raise ValueError(
                f"EmailEventLogging {id!r}: organization: found that {here.app.event_logs[logged]} logs its events "
                "already, and WorkMail logs to one log group only (W2); use that one, or name another organization"
            )
        super().__init__(scope, id)
        here.app.event_logs[logged] = self.node.path
        guard_region(here)
        guard_place(
            self,
            here,
            what=f"organization {_named(organization)}",
            region=organization.region,
            account=organization.account,
            remedy="put EmailEventLogging into a stack of the organization's Region and account, or name another "
            "organization",
            fact="an organization logs to its own Region (W2), with a role of its own account",
        )
        self.organization = organization
        options = FunctionOptions(log_retention=log_retention)
        if log_encryption_key is not None:
            options["log_encryption_key"] = log_encryption_key
        if log_removal_policy is not None:
            options["log_removal_policy"] = log_removal_policy
        self.log_group = new_log_group(self, options, record=here)
        self.role = Role(
            self,
            "Role",
            description="WorkMail writes the email events of an organization with it",
            assumed_by=cast("IPrincipal", ServicePrincipal(EVENT_LOGGING_PRINCIPAL)),
        )
        self.log_group.grant_write(self.role)
        self.function = _EventLoggingFunction.of(here.stack).function
        self._turn_on(overwrite=overwrite)

        self.namespace = events_namespace(organization.alias or organization.organization_id)
        self._alarms: EmailEventAlarms | None = None
        self._rules: dict[str, None] = {}
        self._filter("IncomingBounces", bounce_pattern(EventName.INCOMING_EMAIL_BOUNCED), INCOMING_BOUNCES)
        self._filter("OutgoingBounces", bounce_pattern(EventName.OUTGOING_EMAIL_BOUNCED), OUTGOING_BOUNCES)
        self._stage = here.stage
        here.app.for_each_declaration(self._take)

        # Names are unique in an account and Region, and the console shows what stands before a slash as a folder.
        folder = f"{here.stack.stack_name}/{self.node.path.removeprefix(f'{here.stack.node.path}/')}"
        self.queries = {
            name: CfnQueryDefinition(
                self,
                f"Query{name.title().replace(' ', '')}",
                name=f"{folder}/{name}",
                query_string=query,
                log_group_names=[self.log_group.log_group_name],
            )
            for name, query in EMAIL_EVENT_QUERIES.items()
        }

    def metric_incoming_bounces(self, **options: Unpack[MetricOptions]) -> Metric:
        """Recipients whose mailbox could not take a message; the sum over 5 minutes by default."""
        return self._metric(INCOMING_BOUNCES, options)

    def metric_outgoing_bounces(self, **options: Unpack[MetricOptions]) -> Metric:
        """Recipients elsewhere who did not get a message; the sum over 5 minutes by default."""
        return self._metric(OUTGOING_BOUNCES, options)

    def metric_rule_applied(self, rule: str, **options: Unpack[MetricOptions]) -> Metric:
        """How often WorkMail applied the declared rule of this name; the sum over 5 minutes by default."""
        return self._metric(rule_metric(rule), options)

    def add_alarms(
        self,
        *actions: AnyAlarmAction,
        incoming_bounces: int | None = ALARM_INCOMING_BOUNCES,
        outgoing_bounces: int | None = ALARM_OUTGOING_BOUNCES,
        hours_without_rule: int | None = ALARM_HOURS_WITHOUT_RULE,
        hours_by_rule: Mapping[str, int | None] | None = None,
    ) -> EmailEventAlarms:
        """Add alarms for bounces, and for each declared rule, those declared later included.

        Each number is the smallest that raises an alarm, and None leaves that alarm out.

        Args:
            *actions: What the alarms do: a topic to publish to, or any alarm action.
            incoming_bounces: Recipients in an hour whose mailbox could not take a message. One is enough: a mailbox
                that is full gets no mail until somebody makes room.
            outgoing_bounces: Recipients elsewhere in an hour who did not get a message. A mistyped address is everyday;
                ten are mail that a stranger sends in a user's name, or a gateway that cannot be reached (W5).
            hours_without_rule: Hours in which a rule was not applied, at most the 168 that CloudWatch looks back.
                Nobody but the log tells that a rule was deleted or renamed in the console (L7). The default is longer
                than a weekend without mail. Until a new rule is created and has met mail, its alarm is raised.
            hours_by_rule: Other hours for some rules, by their names, and None for rules that seldom meet mail.

        Raises:
            ValueError: A number or action is not as described, or there are alarms already.
        """
        from workmail_constructs.watching.email_event_alarms import (
            PERIOD,
            EmailEventAlarms,
        )  # alarm actions take a while to load

        self._alarms = EmailEventAlarms(
            self,
            incoming=self.metric_incoming_bounces(period=PERIOD),
            outgoing=self.metric_outgoing_bounces(period=PERIOD),
            rule_applied=lambda rule: self.metric_rule_applied(rule, period=PERIOD),
            rules=self._rules.keys(),
            actions=actions,
            incoming_bounces=incoming_bounces,
            outgoing_bounces=outgoing_bounces,
            hours_without_rule=hours_without_rule,
            hours_by_rule=hours_by_rule or {},
        )
        return self._alarms

    def _turn_on(self, *, overwrite: bool) -> None:
        stack = Stack.of(self)
        # A policy of its own, since the function has to keep the right until the resource is deleted: a policy that
        # all share would have lost it by then. And one for each organization, for a resource that moves to another.
        rights = Policy(
            self,
            f"Rights{resolved_hash(self, [*self.organization.key])}",
            roles=[cast("IRole", _EventLoggingFunction.of(stack).role)],
            statements=[
                PolicyStatement(
                    actions=[DESCRIBE_EVENT_LOGGING, PUT_EVENT_LOGGING, DELETE_EVENT_LOGGING],
                    resources=[self.organization.organization_arn],
                ),
                PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[self.role.role_arn],
                    conditions={"StringEquals": {"iam:PassedToService": EVENT_LOGGING_PRINCIPAL}},
                ),
            ],
        )
        configuration = CustomResource(
            self,
            "Configuration",
            service_token=self.function.function_arn,
            service_timeout=GIVE_UP,
            resource_type=EVENT_LOGGING_TYPE,
            properties={
                ORGANIZATION_ID: self.organization.organization_id,
                LOG_GROUP_ARN: self.log_group.log_group_arn,
                ROLE_ARN: self.role.role_arn,
                OVERWRITE: overwrite,
            },
        )
        configuration.node.add_dependency(self.role, rights)

    def _take(self, declaration: Declaration) -> None:
        """Count a rule of the organization; the filter's logical id follows from the rule's name alone."""
        name = declaration.rule.name
        if (
            name in self._rules
            or declaration.organization.key != self.organization.key
            or declaration.record.stage is not self._stage
        ):
            return
        self._rules[name] = None
        if len(self._rules) == MAX_METRIC_FILTERS - 1:  # bounces have two
            add_problem(
                self,
                "WorkMailMetricFilters",
                found=f"more than {MAX_METRIC_FILTERS - 2} declared rules of organization {_named(self.organization)}",
                allowed=f"{MAX_METRIC_FILTERS} metric filters per log group, two of them for bounces",
                remedy="declare fewer rules in a stage with EmailEventLogging: one rule takes many patterns (F6)",
            )
        self._filter(rule_id(name), rule_pattern(name), rule_metric(name))
        if self._alarms is not None:
            self._alarms.add_rule(name)

    def _filter(self, id: str, pattern: str, metric: str) -> None:  # noqa: A002 - CDK's word
        MetricFilter(
            self,
            id,
            log_group=cast("ILogGroup", self.log_group),
            filter_pattern=FilterPattern.literal(pattern),
            metric_namespace=self.namespace,
            metric_name=metric,
            metric_value="1",
            # Zero where other events came, so that a graph shows that the log works.
            default_value=0,
        )

    def _metric(self, name: str, options: MetricOptions) -> Metric:
        summed: MetricOptions = {"statistic": "Sum", **options}
        return Metric(namespace=self.namespace, metric_name=name, **summed)


class _EventLoggingFunction(CustomResourceFunction):
    """The function of a stack that turns email event logging on and off."""

    @classmethod
    def of(cls, stack: Stack) -> _EventLoggingFunction:
        made = _OF_STACK.get(stack)
        if made is None:
            made = _OF_STACK[stack] = cls(
                stack,
                "WorkMailEmailEventLogging",
                handler="email_event_logging",
                description="Turns WorkMail's email event logging on and off during deployments",
                timeout_seconds=_TIMEOUT_SECONDS,
            )
        return made


_OF_STACK: Final[WeakKeyDictionary[Stack, _EventLoggingFunction]] = WeakKeyDictionary()


def _named(organization: WorkMailOrganization) -> str:
    named = organization.alias or organization.organization_id
    return named if is_known(named) else organization.node.path
