"""Alarms for a rule's function: a rule whose function fails falls back, and WorkMail tells nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from aws_cdk.aws_cloudwatch import Alarm, ComparisonOperator, TreatMissingData
from aws_cdk.aws_cloudwatch_actions import SnsAction
from constructs import Construct

from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aws_cdk.aws_cloudwatch import IAlarmAction, Metric
    from aws_cdk.aws_sns import ITopic
    from aws_cdk.aws_sqs import IQueue

    from workmail_constructs.interfaces import AnyAlarmAction, AnyFunction
    from workmail_flow.flow_rule import FlowRule

ALARMS_ID: Final = "Alarms"
"""The id of the construct that `add_alarms` makes."""


class RuleAlarms(Construct):
    """The alarms of one rule; `RunLambdaRule.add_alarms` makes it.

    Each looks at five minutes, is not raised by missing data, and names the rule in its description.
    """

    errors: Alarm | None
    """The function failed: WorkMail tries again, and takes the fallback action once the rule timeout is over (T2)."""
    throttles: Alarm | None
    """Lambda refused to run the function, which WorkMail takes for a failure."""
    duration: Alarm | None
    """The function ran nearly as long as WorkMail waits; None for an asynchronous rule, for which it does not wait."""
    failed_events: Alarm | None
    """Events wait in the queue for those whose function failed for good; None for a rule without one."""

    def __init__(
        self,
        scope: Construct,
        *,
        rule: FlowRule,
        function: AnyFunction,
        on_failure_queue: IQueue | None,
        actions: Sequence[AnyAlarmAction],
        errors: int | None,
        throttles: int | None,
        duration_s: float | None,
        failed_events: int | None,
    ) -> None:
        """Make the alarms; see `RunLambdaRule.add_alarms`."""
        limits = {"errors": errors, "throttles": throttles, "duration_s": duration_s, "failed_events": failed_events}
        require_alarms(scope, [*_limit_problems(limits), *action_problems(actions)])
        super().__init__(scope, ALARMS_ID)
        self._rule = rule.name
        self._actions = [*map(alarm_action, actions)]
        self.errors = self._alarm(
            "Errors",
            errors,
            function.metric_errors(),
            "failed. Its log says why; WorkMail tries again, then falls back.",
        )
        self.throttles = self._alarm(
            "Throttles",
            throttles,
            function.metric_throttles(),
            "was not run: too many run at a time. Raise its reserved concurrency or the account's.",
        )
        self.duration = self.failed_events = None
        if rule.synchronous:
            self.duration = self._alarm(
                "Duration",
                None if duration_s is None else 1000 * duration_s,
                function.metric_duration(statistic="Maximum"),
                f"took long: WorkMail waits {SYNCHRONOUS_LIMIT_SECONDS} seconds. Give it more memory, or less to do.",
            )
        if on_failure_queue is not None:
            self.failed_events = self._alarm(
                "FailedEvents",
                failed_events,
                on_failure_queue.metric_approximate_number_of_messages_visible(),
                "failed for good on events that wait in its queue. Message content is readable for 24 hours only.",
            )

    @property
    def all(self) -> tuple[Alarm, ...]:
        """Those that were made."""
        return tuple(filter(None, (self.errors, self.throttles, self.duration, self.failed_events)))

    def _alarm(self, id: str, threshold: float | None, metric: Metric, what: str) -> Alarm | None:  # noqa: A002 - CDK's word
        if threshold is None:
            return None
        alarm = Alarm(
            self,
            id,
            alarm_description=f"The function of the email flow rule {self._rule} {what}",
            metric=metric,
            threshold=threshold,
            comparison_operator=ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=TreatMissingData.NOT_BREACHING,
        )
        if self._actions:
            alarm.add_alarm_action(*self._actions)
        return alarm


def require_alarms(scope: Construct, problems: Sequence[str]) -> None:
    """Require arguments without problems, and a scope whose alarms were not added before.

    Raises:
        ValueError: They are not so; its text lists all problems.
    """
    if scope.node.try_find_child(ALARMS_ID) is not None:
        problems = [*problems, "found alarms that were added before; add them once, with all their actions"]
    if problems:
        raise ValueError("\n".join([f"add_alarms of {scope.node.path}:", *(f"  {each}" for each in problems)]))


def alarm_action(action: AnyAlarmAction) -> IAlarmAction:
    """Return what an alarm takes: for a topic, the action that publishes to it."""
    # Topics of every kind have it; the type of an imported one cannot be asked for.
    found = SnsAction(cast("ITopic", action)) if hasattr(action, "topic_arn") else action
    return cast("IAlarmAction", found)


def action_problems(actions: Sequence[object]) -> Iterator[str]:
    """Yield what is wrong with the actions of alarms."""
    for action in actions:
        if not (hasattr(action, "topic_arn") or hasattr(action, "bind")):
            yield f"actions: found {action!r}; give a topic, or an alarm action such as SnsAction(topic)"


def _limit_problems(limits: Mapping[str, float | None]) -> Iterator[str]:
    for name, limit in limits.items():
        if limit is not None and not limit > 0:
            yield f"{name}: found {limit}; give a number above 0, or None to leave the alarm out"
    duration_s = limits["duration_s"]
    if duration_s is not None and duration_s > SYNCHRONOUS_LIMIT_SECONDS:
        yield (
            f"duration_s: found {duration_s:g}, longer than the {SYNCHRONOUS_LIMIT_SECONDS} seconds that WorkMail "
            "waits (T1); give less"
        )
