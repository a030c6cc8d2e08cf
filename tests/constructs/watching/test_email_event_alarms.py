"""Alarms over the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.aws_cloudwatch_actions import OpsItemSeverity, SsmAction
from aws_cdk.aws_sns import Topic

from tests.constructs.stacks import errors_of, new_stack, properties_of
from tests.constructs.watching.test_email_event_logging import declare, new_events, organization_of

if TYPE_CHECKING:
    from aws_cdk import Stack

RULE = "RuleApplied Spam"


def alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    return {alarm["MetricName"]: alarm for alarm in properties_of(stack, "AWS::CloudWatch::Alarm")}


@pytest.mark.fact("W3")
def test_bounces_in_an_hour() -> None:
    stack = new_stack()
    events = new_events(stack)
    added = events.add_alarms(Topic.from_topic_arn(stack, "OnCall", "arn:aws:sns:eu-west-1:111122223333:on-call"))

    found = alarms(stack)
    assert {name: alarm["Threshold"] for name, alarm in found.items()} == {
        "IncomingEmailBounced": 1,
        "OutgoingEmailBounced": 10,
    }
    for alarm in found.values():
        assert alarm["Namespace"] == events.namespace
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Statistic"]) == (3600, 1, "Sum")
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:111122223333:on-call"]
    assert added.all == (added.incoming_bounces, added.outgoing_bounces)


@pytest.mark.fact("L7", "W4")
@pytest.mark.parametrize("first", ["rule", "alarms"])
def test_a_rule_that_is_not_applied_for_three_days_whenever_it_is_declared(first: str) -> None:
    stack = new_stack()
    organization = organization_of(stack)
    events = new_events(stack, organization=organization)
    if first == "rule":
        declare(stack, "Spam", organization)
    added = events.add_alarms(Topic(stack, "OnCall"))
    if first == "alarms":
        declare(stack, "Spam", organization)

    alarm = alarms(stack)[RULE]
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Statistic"]) == ("LessThanThreshold", 1, "Sum")
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (3600, 72, "breaching")
    assert "DatapointsToAlarm" not in alarm
    assert len(alarm["AlarmActions"]) == 1
    assert "the email flow rule Spam for 72 hours" in alarm["AlarmDescription"]
    assert list(added.without_rule) == ["Spam"]
    assert added.all[-1] is added.without_rule["Spam"]


def test_each_number_can_be_changed_or_left_out() -> None:
    stack = new_stack()
    organization = organization_of(stack)
    for name in ("Spam", "Seldom", "Often"):
        declare(stack, name, organization)
    new_events(stack, organization=organization).add_alarms(
        incoming_bounces=None,
        outgoing_bounces=3,
        hours_without_rule=168,
        hours_by_rule={"Seldom": None, "Often": 1},
    )

    found = alarms(stack)
    assert found.keys() == {"OutgoingEmailBounced", RULE, "RuleApplied Often"}
    assert found["OutgoingEmailBounced"]["Threshold"] == 3
    assert (found[RULE]["EvaluationPeriods"], found["RuleApplied Often"]["EvaluationPeriods"]) == (168, 1)
    for alarm in found.values():
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= 7 * 24 * 3600
        assert "AlarmActions" not in alarm


def test_only_some_rules_are_watched() -> None:
    stack = new_stack()
    organization = organization_of(stack)
    for name in ("Spam", "Other"):
        declare(stack, name, organization)
    added = new_events(stack, organization=organization).add_alarms(hours_without_rule=None, hours_by_rule={"Spam": 5})

    assert list(added.without_rule) == ["Spam"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"incoming_bounces": 0}, "incoming_bounces: found 0; give a whole number above 0, or None to leave"),
        ({"outgoing_bounces": float("nan")}, "outgoing_bounces: found nan"),
        ({"hours_without_rule": 169}, "hours_without_rule: found 169; give a whole number of 1 to 168, or None"),
        ({"hours_without_rule": 0.5}, "hours_without_rule: found 0.5"),
        ({"hours_by_rule": {"Spam": 200}}, r"hours_by_rule\['Spam'\]: found 200"),
    ],
)
def test_numbers_that_cloudwatch_does_not_take_are_refused(arguments: dict[str, Any], found: str) -> None:
    events = new_events(new_stack())
    with pytest.raises(ValueError, match=f"add_alarms of .*Events:\n  {found}"):
        events.add_alarms(**arguments)
    assert events.node.try_find_child("Alarms") is None
    events.add_alarms()


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"incoming_bounces: found 0[^\n]*\n  hours_without_rule: found 0[^\n]*\n  actions"
    ):
        new_events(new_stack()).add_alarms("arn", incoming_bounces=0, hours_without_rule=0)  # type: ignore[arg-type]


def test_a_second_time_is_an_error_that_says_what_to_do() -> None:
    events = new_events(new_stack())
    events.add_alarms()
    with pytest.raises(ValueError, match="added before; add them once, with all their actions"):
        events.add_alarms()


def test_hours_for_a_rule_that_nobody_declares_are_an_error_at_synth() -> None:
    stack = new_stack()
    organization = organization_of(stack)
    events = new_events(stack, organization=organization)
    events.add_alarms(hours_by_rule={"Spam": 5, "Spma": None})
    declare(stack, "Spam", organization)

    (text,) = (text for path, text in errors_of(stack) if path == "/Mail/Events/Alarms")
    assert "found hours_by_rule for 'Spma'; allowed: rules that this stage declares: 'Spam'" in text


def test_topics_and_actions_of_any_kind_together() -> None:
    stack = new_stack()
    topic = Topic(stack, "OnCall")
    new_events(stack).add_alarms(topic, SsmAction(OpsItemSeverity.HIGH))

    for alarm in alarms(stack).values():
        first, second = alarm["AlarmActions"]
        assert first == stack.resolve(topic.topic_arn)
        assert ":opsitem:2" in str(second)
