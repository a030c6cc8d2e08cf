"""Alarms for a rule's function."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk.aws_cloudwatch_actions import OpsItemSeverity, SsmAction
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_sns import Topic

from tests.constructs.stacks import new_rule, new_stack, properties_of
from workmail_constructs import Run
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS

IMPORTED_TOPIC = "arn:aws:sns:eu-west-1:111122223333:on-call"


def alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    return {alarm["MetricName"]: alarm for alarm in properties_of(stack, "AWS::CloudWatch::Alarm")}


@pytest.mark.fact("T1", "T2")
def test_a_synchronous_rule() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    added = rule.add_alarms(Topic.from_topic_arn(stack, "OnCall", IMPORTED_TOPIC))
    found = alarms(stack)
    assert {name: (alarm["Threshold"], alarm["Statistic"]) for name, alarm in found.items()} == {
        "Errors": (1, "Sum"),
        "Throttles": (1, "Sum"),
        "Duration": (12_000, "Maximum"),
    }
    assert found["Duration"]["Threshold"] < 1000 * SYNCHRONOUS_LIMIT_SECONDS
    for alarm in found.values():
        assert alarm["AlarmActions"] == [IMPORTED_TOPIC]
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (300, 1, "notBreaching")
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": stack.resolve(rule.function.function_name)}]
        assert alarm["AlarmDescription"].startswith("The function of the email flow rule Rule ")
    assert added.errors is not None
    assert added.failed_events is None


@pytest.mark.fact("T4", "C2")
def test_an_asynchronous_rule_has_its_queue_watched_and_not_its_duration() -> None:
    stack = new_stack()
    rule = new_rule(stack, run=Run.asynchronous())
    added = rule.add_alarms(Topic(stack, "OnCall"))
    assert alarms(stack).keys() == {"Errors", "Throttles", "ApproximateNumberOfMessagesVisible"}
    assert rule.on_failure_queue is not None
    queue = alarms(stack)["ApproximateNumberOfMessagesVisible"]
    assert queue["Dimensions"] == [{"Name": "QueueName", "Value": stack.resolve(rule.on_failure_queue.queue_name)}]
    assert queue["Threshold"] == 1
    assert added.duration is None


def test_each_number_can_be_changed_or_left_out() -> None:
    stack = new_stack()
    rule = new_rule(stack, run=Run.asynchronous())
    rule.add_alarms(errors=3, throttles=None, failed_events=None)
    assert {name: alarm["Threshold"] for name, alarm in alarms(stack).items()} == {"Errors": 3}
    assert "AlarmActions" not in alarms(stack)["Errors"]
    other = new_stack()
    new_rule(other).add_alarms(errors=None, throttles=None, duration_s=2.5)
    assert {name: alarm["Threshold"] for name, alarm in alarms(other).items()} == {"Duration": 2_500}


def test_topics_and_actions_of_any_kind_together() -> None:
    stack = new_stack()
    topic = Topic(stack, "OnCall")
    new_rule(stack).add_alarms(topic, SsmAction(OpsItemSeverity.HIGH))
    for alarm in alarms(stack).values():
        first, second = alarm["AlarmActions"]
        assert first == stack.resolve(topic.topic_arn)
        assert ":opsitem:2" in str(second)


def test_a_function_of_another_stack() -> None:
    app_stack = new_stack()
    other = Stack(app_stack.node.root, "Functions", env=None)
    function = Function.from_function_attributes(
        other, "Imported", function_arn="arn:aws:lambda:eu-west-1:111122223333:function:rule", same_environment=True
    )
    new_rule(app_stack, function=function).add_alarms()
    assert {alarm["Dimensions"][0]["Value"] for alarm in alarms(app_stack).values()} == {"rule"}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"errors": 0}, "errors: found 0; give a number above 0, or None to leave the alarm out"),
        ({"throttles": -1}, "throttles: found -1"),
        ({"failed_events": float("nan")}, "failed_events: found nan"),
        ({"duration_s": 16.0}, r"duration_s: found 16, longer than the 15 seconds that WorkMail waits \(T1\)"),
    ],
)
def test_numbers_that_raise_no_alarm_are_refused(arguments: dict[str, Any], found: str) -> None:
    rule = new_rule(new_stack())
    with pytest.raises(ValueError, match=f"add_alarms of .*Rule:\n  {found}"):
        rule.add_alarms(**arguments)
    assert rule.node.try_find_child("Alarms") is None


@pytest.mark.parametrize("action", ["arn:aws:sns:eu-west-1:111122223333:on-call", Duration.minutes(1), None])
def test_what_is_no_action_is_refused(action: Any) -> None:
    with pytest.raises(ValueError, match=r"actions: found .*; give a topic, or an alarm action such as SnsAction"):
        new_rule(new_stack()).add_alarms(action)


def test_a_second_time_is_an_error_that_says_what_to_do() -> None:
    rule = new_rule(new_stack())
    rule.add_alarms()
    with pytest.raises(ValueError, match="added before; add them once, with all their actions"):
        rule.add_alarms()
