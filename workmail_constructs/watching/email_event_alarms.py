"""Alarms over WorkMail's event log: bounces, and rules that are not applied any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import Alarm, ComparisonOperator, TreatMissingData
from constructs import Construct

from workmail_constructs.app_synthesis import AtSynth
from workmail_constructs.problems import add_problem
from workmail_constructs.watching.rule_alarms import ALARMS_ID, action_problems, alarm_action, require_alarms
from workmail_flow.email_event_metrics import rule_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence

    from aws_cdk.aws_cloudwatch import Metric

    from workmail_constructs.interfaces import AnyAlarmAction

PERIOD: Final = Duration.hours(1)
"""The shortest with which CloudWatch looks back for a week, and not for a day."""
MAX_HOURS: Final = 168
"""How far an alarm of such periods looks back."""


class EmailEventAlarms(Construct):
    """The alarms of one event log; `EmailEventLogging.add_alarms` makes it."""

    incoming_bounces: Alarm | None
    """A mailbox could not take mail. Missing data does not raise it."""
    outgoing_bounces: Alarm | None
    """Mail to others came back. Missing data does not raise it."""
    without_rule: Mapping[str, Alarm]
    """By its name, for each declared rule: it was not applied for hours. Missing data counts as not applied."""

    def __init__(
        self,
        scope: Construct,
        *,
        incoming: Metric,
        outgoing: Metric,
        rule_applied: Callable[[str], Metric],
        rules: KeysView[str],
        actions: Sequence[AnyAlarmAction],
        incoming_bounces: int | None,
        outgoing_bounces: int | None,
        hours_without_rule: int | None,
        hours_by_rule: Mapping[str, int | None],
    ) -> None:
        """Make the alarms; see `EmailEventLogging.add_alarms`."""
        problems = [
            *_number_problems("incoming_bounces", incoming_bounces),
            *_number_problems("outgoing_bounces", outgoing_bounces),
            *_number_problems("hours_without_rule", hours_without_rule, at_most=MAX_HOURS),
            *(
                problem
                for rule, hours in hours_by_rule.items()
                for problem in _number_problems(f"hours_by_rule[{rule!r}]", hours, at_most=MAX_HOURS)
            ),
            *action_problems(actions),
        ]
        require_alarms(scope, problems)
        super().__init__(scope, ALARMS_ID)
        self._rule_applied = rule_applied
        self._rules = rules
        self._actions = [*map(alarm_action, actions)]
        self._hours = hours_without_rule
        self._hours_by_rule = dict(hours_by_rule)
        self._without_rule: dict[str, Alarm] = {}
        self.without_rule = self._without_rule
        self.incoming_bounces = self._bounces(
            "IncomingBounces",
            incoming_bounces,
            incoming,
            "Mail to users bounced: a mailbox is full. Make room in it, or give it more.",
        )
        self.outgoing_bounces = self._bounces(
            "OutgoingBounces",
            outgoing_bounces,
            outgoing,
            "Mail to others bounced: see who sends it, and whether an SMTP gateway can be reached.",
        )
        for rule in rules:
            self.add_rule(rule)
        self.node.add_validation(AtSynth(self._check))

    @property
    def all(self) -> tuple[Alarm, ...]:
        """Those that were made until now; a rule that is declared later brings one more."""
        return (*filter(None, (self.incoming_bounces, self.outgoing_bounces)), *self.without_rule.values())

    def add_rule(self, rule: str) -> None:
        """Add the alarm of a rule that is declared."""
        hours = self._hours_by_rule.get(rule, self._hours)
        if hours is None:
            return
        self._without_rule[rule] = self._alarm(
            rule_id(rule),
            f"WorkMail did not apply the email flow rule {rule} for {hours} hours: see in its console whether the rule "
            "is there, under this name and with these patterns.",
            self._rule_applied(rule),
            threshold=1,
            comparison=ComparisonOperator.LESS_THAN_THRESHOLD,
            periods=hours,
            missing=TreatMissingData.BREACHING,
        )

    def _bounces(self, id: str, threshold: int | None, metric: Metric, what: str) -> Alarm | None:  # noqa: A002 - CDK's word
        if threshold is None:
            return None
        return self._alarm(
            id,
            what,
            metric,
            threshold=threshold,
            comparison=ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            periods=1,
            missing=TreatMissingData.NOT_BREACHING,
        )

    def _alarm(
        self,
        id: str,  # noqa: A002 - CDK's word
        description: str,
        metric: Metric,
        *,
        threshold: int,
        comparison: ComparisonOperator,
        periods: int,
        missing: TreatMissingData,
    ) -> Alarm:
        alarm = Alarm(
            self,
            id,
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        if self._actions:
            alarm.add_alarm_action(*self._actions)
        return alarm

    def _check(self) -> list[str]:
        """Report hours for rules that nobody declares: a name that is mistyped would watch nothing."""
        unknown = sorted(self._hours_by_rule.keys() - self._rules)
        if unknown:
            add_problem(
                self,
                "WorkMailUnknownRule",
                found=f"hours_by_rule for {', '.join(map(repr, unknown))}",
                allowed=f"rules that this stage declares: {', '.join(map(repr, self._rules)) or 'there are none'}",
                remedy="give the names of rules as they are declared",
            )
        return []


def _number_problems(name: str, number: int | None, *, at_most: int | None = None) -> Iterator[str]:
    if number is not None and not (number > 0 and (at_most is None or number <= at_most) and number == int(number)):
        limit = "above 0" if at_most is None else f"of 1 to {at_most}"
        yield f"{name}: found {number}; give a whole number {limit}, or None to leave the alarm out"
