"""The email flow rules of an organization at a glance, in one CloudWatch dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import (
    AlarmStatusWidget,
    Dashboard,
    GraphWidget,
    HorizontalAnnotation,
    IMetric,
    IWidget,
    MathExpression,
    Metric,
    Row,
    TextWidget,
)
from constructs import Construct

from workmail_constructs.run_lambda_rule import RunLambdaRule
from workmail_constructs.stack_record import StackRecord
from workmail_flow import metrics
from workmail_flow.assumptions import mail_metric_search
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_constructs.email_flow_rules import Declaration
    from workmail_constructs.interfaces import AnyAlarm
    from workmail_constructs.organization import WorkMailOrganization

_PERIOD: Final = Duration.minutes(5)
_WIDTH: Final = 24
_HEIGHT: Final = 6
_MAIL: Final = (
    ("OrganizationEmailReceived", "received"),
    ("MailboxEmailDelivered", "delivered to mailboxes"),
    ("IncomingEmailBounced", "incoming, bounced"),
    ("OutgoingEmailSent", "sent"),
    ("OutgoingEmailBounced", "outgoing, bounced"),
)
"""WorkMail's own metrics (W1), with what the dashboard calls them."""

_ANSWERS: Final = (
    *metrics.REPLIES.values(),
    metrics.EDITS_MADE,
    metrics.EDITS_REFUSED,
    metrics.STEPS_FAILED,
)


class WorkMailDashboard(Construct):
    """A dashboard: the organization's mail, which rules' functions fail or are slow, and a row for each rule.

    It shows the Run Lambda rules that its stack, and the stacks nested in it, declare for the organization, before it
    or after, and those of other stacks that are given.
    """

    dashboard: Dashboard
    """CDK's dashboard, for widgets of your own: `dashboard.add_widgets(…)`."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        *,
        organization: WorkMailOrganization,
        rules: Sequence[RunLambdaRule] = (),
        alarms: Sequence[AnyAlarm] = (),
        dashboard_name: str | None = None,
    ) -> None:
        """Make the dashboard.

        Args:
            scope: The stack with the rules, or a construct in one.
            id: The construct's id.
            organization: Whose rules it shows.
            rules: Rules of other stacks, which the stack then depends on.
            alarms: Alarms whose state it shows first: `[*rule.add_alarms(topic).all]`.
            dashboard_name: Its name; by default CloudFormation makes one.

        Raises:
            ValueError: One of the rules is of another organization.
            TypeError: One of them is no `RunLambdaRule`.
        """
        for rule in rules:
            if not isinstance(rule, RunLambdaRule):
                raise TypeError(f"WorkMailDashboard {id!r}: rules: found {type(rule).__name__}; give RunLambdaRules")
            if rule.organization.key != organization.key:
                raise ValueError(
                    f"WorkMailDashboard {id!r}: rules: found {rule.node.path}, a rule of another organization; "
                    "make a dashboard for each organization"
                )
        super().__init__(scope, id)
        self._organization = organization
        self._stack = StackRecord.of(scope)
        self._shown: set[RunLambdaRule] = set()
        self._failures = _graph("Failed and throttled invocations", width=8)
        self._durations = _graph("Longest invocation", width=8, annotations=[_limit()])
        self._failed_events = _graph("Events whose function failed for good", width=8)
        self.dashboard = Dashboard(self, "Dashboard", dashboard_name=dashboard_name, default_interval=Duration.days(1))
        if alarms:
            status = AlarmStatusWidget(title="Alarms", alarms=[*alarms], width=_WIDTH)
            self._add(status)
        self._add(_mail())
        self._add(Row(*_widgets(self._failures, self._durations, self._failed_events)))
        for rule in rules:
            self._show(rule)
        self._stack.app.for_each_declaration(self._show_declared)

    def _add(self, widget: AlarmStatusWidget | GraphWidget | Row | TextWidget) -> None:
        self.dashboard.add_widgets(*_widgets(widget))

    def _show_declared(self, declaration: Declaration) -> None:
        rule = declaration.scope
        if (
            isinstance(rule, RunLambdaRule)
            and declaration.organization.key == self._organization.key
            and declaration.record.is_within(self._stack)
        ):
            self._show(rule)

    def _show(self, rule: RunLambdaRule) -> None:
        if rule in self._shown:
            return
        self._shown.add(rule)
        declared = rule.email_flow_rule
        name = declared.name
        synchronous = bool(declared.synchronous)
        self._failures.add_left_metric(_of(rule.metric_errors(label=name)))
        self._failures.add_left_metric(_of(rule.metric_throttles(label=f"{name}, throttled")))
        if synchronous:
            self._durations.add_left_metric(_of(rule.metric_duration(label=name, statistic="Maximum")))
        if rule.on_failure_queue is not None:
            waiting = rule.on_failure_queue.metric_approximate_number_of_messages_visible(label=name)
            self._failed_events.add_left_metric(_of(waiting))
        fallback = f", fallback {declared.fallback}" if declared.fallback else ""
        how = f"{declared.direction.lower()}, {'synchronous' if synchronous else 'asynchronous'}{fallback}"
        self._add(TextWidget(markdown=f"## {name}\n{how}", width=_WIDTH, height=2))
        runs = _graph("Invocations", width=8)
        runs.add_left_metric(_of(rule.metric_invocations(label="invocations")))
        runs.add_left_metric(_of(rule.metric_errors(label="failed")))
        runs.add_left_metric(_of(rule.metric_throttles(label="throttled")))
        durations = _graph("Duration", width=8, annotations=[_limit()] if synchronous else [])
        durations.add_left_metric(_of(rule.metric_duration(label="longest", statistic="Maximum")))
        durations.add_left_metric(_of(rule.metric_duration(label="average")))
        answers = _graph("Replies and edits", width=8)
        for metric in _ANSWERS:
            answers.add_left_metric(_of(_runtime_metric(rule, metric)))
        self._add(Row(*_widgets(runs, durations, answers)))


def _mail() -> GraphWidget:
    """Return what WorkMail itself counts. No page names the dimensions (W1), so they are searched for by name.

    They are not added up: what has several dimensions may be counted under each.
    """
    widget = _graph("Mail of all organizations of this account and Region", width=_WIDTH)
    for metric, label in _MAIL:
        expression = MathExpression(
            expression=mail_metric_search(metric), using_metrics={}, label=label, period=_PERIOD
        )
        widget.add_left_metric(_of(expression))
    return widget


def _runtime_metric(rule: RunLambdaRule, name: str) -> Metric:
    (dimension,) = metrics.FUNCTION_DIMENSIONS
    return Metric(
        namespace=metrics.METRICS_NAMESPACE,
        metric_name=name,
        dimensions_map={dimension: rule.function.function_name},
        statistic="Sum",
        period=_PERIOD,
        label=name,
    )


def _graph(title: str, *, width: int, annotations: Sequence[HorizontalAnnotation] = ()) -> GraphWidget:
    return GraphWidget(title=title, width=width, height=_HEIGHT, left_annotations=[*annotations])


def _limit() -> HorizontalAnnotation:
    seconds = SYNCHRONOUS_LIMIT_SECONDS
    return HorizontalAnnotation(value=1000 * seconds, label=f"WorkMail waits {seconds} seconds (T1)")


def _of(metric: Metric | MathExpression) -> IMetric:
    # Pyright does not see that CDK's classes implement CDK's interfaces.
    return cast("IMetric", metric)


def _widgets(*widgets: AlarmStatusWidget | GraphWidget | Row | TextWidget) -> list[IWidget]:
    return [cast("IWidget", widget) for widget in widgets]
