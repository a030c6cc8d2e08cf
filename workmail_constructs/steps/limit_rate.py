"""So many messages per minute for a protected address, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import Alarm, ComparisonOperator, Metric, TreatMissingData
from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.steps.decision import Bounce, Drop, Junk
from workmail_constructs.steps.expiring_table import expiring_table
from workmail_constructs.steps.plain_addresses import address_problems
from workmail_constructs.steps.step import Step, StepOptions
from workmail_flow.address import address_key
from workmail_flow.metrics import LIMITED, METRICS_NAMESPACE, STEP_DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aws_cdk.aws_cloudwatch import IAlarmAction
    from aws_cdk.aws_lambda import Function

    from workmail_constructs.steps.binding import StepBinding
    from workmail_constructs.steps.decision import Decision

MAX_ADDRESSES: Final = 30
"""DynamoDB takes expressions of 4 kB at most, and a message may be for all addresses."""

MAX_PER_STEP_AND_MINUTE: Final = 1_500
"""A step counts in one DynamoDB item, which this keeps below some 45 kB."""


class LimitRate(Step):
    """Lets so many messages per minute through for each protected address, and decides about the others.

    Each rule gets a table for its step, and an alarm that is on while messages are limited.
    """

    function = "workmail_rules.limit_rate:run"

    def __init__(
        self,
        *,
        addresses: Sequence[str],
        per_minute: int,
        then: Decision,
        alarm_actions: Sequence[IAlarmAction] = (),
        **options: Unpack[StepOptions],
    ) -> None:
        """Set the limit.

        Args:
            addresses: 1 to 30 addresses, each with its own count. No patterns.
            per_minute: Messages per clock minute and address, retries counted once; at most 1,500 over all addresses.
            then: What happens to the others: `Bounce(text)`, `Drop()` or, inbound only, `Junk()`.
            alarm_actions: What the alarm does when a storm begins, for example `SnsAction(topic)`.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: An argument is not as described; every problem is named.
            TypeError: One string where a list of addresses is needed.
        """
        super().__init__(**options)
        self._addresses = tuple(dict.fromkeys(map(address_key, addresses)))
        problems = [*address_problems(addresses, argument="addresses"), *_limit_problems(self._addresses, per_minute)]
        if not isinstance(then, Bounce | Drop | Junk):
            problems.append(f"then: found {then!r}, with which the message still comes; give Bounce, Drop or Junk")
        if problems:
            raise ValueError("\n".join(["LimitRate:", *(f"  {problem}" for problem in problems)]))
        self._per_minute = per_minute
        self._then = then
        self._alarm_actions = tuple(alarm_actions)

    @property
    def decides(self) -> bool:
        """The step decides about delivery."""
        return True

    @property
    def inbound_only(self) -> bool:
        """Junk is for inbound mail only (R2)."""
        return self._then.inbound_only

    @property
    def needs_metrics(self) -> bool:
        """The alarm's actions wait for the metric."""
        return bool(self._alarm_actions)

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Make the table, let the function update it, and make the alarm unless metrics are off."""
        scope = binding.scope
        table = expiring_table(scope)
        binding.grant([PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[table.table_arn])])

        def add_alarm(function: Function) -> None:
            alarm = Alarm(
                scope,
                "StormAlarm",
                alarm_description=f"{binding.name} limits messages: more than {self._per_minute} in a minute.",
                metric=Metric(
                    namespace=METRICS_NAMESPACE,
                    metric_name=LIMITED,
                    dimensions_map=dict(zip(STEP_DIMENSIONS, (function.function_name, binding.name), strict=True)),
                    statistic="Sum",
                    period=Duration.minutes(1),
                ),
                comparison_operator=ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                threshold=1,
                evaluation_periods=1,
                treat_missing_data=TreatMissingData.NOT_BREACHING,
            )
            if self._alarm_actions:
                alarm.add_alarm_action(*self._alarm_actions)

        if binding.metrics:
            binding.after_function(add_alarm)
        return {
            "table": table.table_name,
            "addresses": self._addresses,
            "per_minute": self._per_minute,
            **self._then.configuration(),
        }


def _limit_problems(addresses: Sequence[str], per_minute: int) -> Iterator[str]:
    if not 1 <= len(addresses) <= MAX_ADDRESSES:
        yield f"addresses: found {len(addresses)}; give 1 to {MAX_ADDRESSES}, and further ones to another LimitRate"
    if not isinstance(per_minute, int) or isinstance(per_minute, bool) or per_minute < 1:
        yield f"per_minute: found {per_minute!r}; give a whole number of messages, 1 or more"
    elif per_minute * len(addresses) > MAX_PER_STEP_AND_MINUTE:
        yield (
            f"per_minute: found {per_minute} for each of {len(addresses)} addresses; a step counts "
            f"{MAX_PER_STEP_AND_MINUTE:,} messages per minute at most: lower it, or divide the addresses among several "
            "LimitRate, each with its name="
        )
