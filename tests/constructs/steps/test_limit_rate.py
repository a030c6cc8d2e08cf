"""`LimitRate`: its configuration, its table, its alarm, its rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.assertions import Template
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_sns import Topic

from tests.constructs.stacks import new_rule, new_stack, only, properties_of, rights_of
from tests.constructs.steps.packed_steps import configuration_of
from workmail_constructs.steps.decision import Bounce, Decision, Deliver, Drop, Junk
from workmail_constructs.steps.limit_rate import LimitRate
from workmail_flow.metrics import METRICS_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Stack

BOUNCE = Bounce("Too many messages.")


def test_the_limit_is_packed_and_the_table_is_named_by_the_environment() -> None:
    stack = new_stack()
    step = LimitRate(addresses=["All@Example.com", "all@example.com"], per_minute=20, then=BOUNCE)
    new_rule(stack, code=None, steps=[step])
    packed = configuration_of(stack)
    table = packed.pop("table")
    assert packed == {
        "addresses": ["all@example.com"],
        "per_minute": 20,
        "action": "BOUNCE",
        "text": "Too many messages.",
    }
    environment = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
    assert environment[table["$environment"]] == {"Ref": next(iter(_tables(stack)))}


def test_each_rule_has_a_table_that_is_encrypted_paid_per_request_and_forgets() -> None:
    stack = new_stack()
    step = LimitRate(addresses=["all@example.com"], per_minute=20, then=Drop())
    new_rule(stack, "Inbound", code=None, steps=[step])
    new_rule(stack, "Outbound", direction="OUTBOUND", code=None, steps=[step])
    tables = properties_of(stack, "AWS::DynamoDB::Table")
    assert [table["SSESpecification"] for table in tables] == [{"SSEEnabled": True}] * 2
    assert [table["BillingMode"] for table in tables] == ["PAY_PER_REQUEST"] * 2
    assert [table["TimeToLiveSpecification"] for table in tables] == [{"AttributeName": "expires", "Enabled": True}] * 2


def test_the_function_may_update_the_table_and_do_nothing_else() -> None:
    stack = new_stack()
    new_rule(stack, code=None, steps=[LimitRate(addresses=["all@example.com"], per_minute=20, then=BOUNCE)])
    (table,) = _tables(stack)
    assert rights_of(stack) == [
        {"Action": "dynamodb:UpdateItem", "Effect": "Allow", "Resource": {"Fn::GetAtt": [table, "Arn"]}}
    ]


def test_the_alarm_is_on_while_messages_are_limited_and_does_what_it_was_given() -> None:
    stack = new_stack()
    topic = Topic(stack, "Topic")
    step = LimitRate(
        addresses=["all@example.com"], per_minute=20, then=BOUNCE, alarm_actions=[SnsAction(topic)], name="Lists"
    )
    rule = new_rule(stack, code=None, steps=[step])
    alarm = only(stack, "AWS::CloudWatch::Alarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == (METRICS_NAMESPACE, "Limited")
    assert alarm["Dimensions"] == [
        {"Name": "FunctionName", "Value": stack.resolve(rule.function.function_name)},
        {"Name": "Step", "Value": "Lists"},
    ]
    assert (alarm["Period"], alarm["Threshold"], alarm["TreatMissingData"]) == (60, 1, "notBreaching")
    assert alarm["AlarmActions"] == [stack.resolve(topic.topic_arn)]


def test_without_metrics_there_is_no_alarm_that_is_never_on() -> None:
    stack = new_stack()
    limit: dict[str, Any] = {"addresses": ["all@example.com"], "per_minute": 20, "then": BOUNCE}
    new_rule(stack, code=None, steps=[LimitRate(**limit)], metrics=False)
    assert properties_of(stack, "AWS::CloudWatch::Alarm") == []
    tells = LimitRate(**limit, alarm_actions=[SnsAction(Topic(stack, "Topic"))])
    with pytest.raises(ValueError, match=r"found LimitRate, whose alarm .* with metrics=False; .* leave metrics on"):
        new_rule(stack, "Other", code=None, steps=[tells], metrics=False)


@pytest.mark.parametrize(
    ("addresses", "per_minute", "then", "found"),
    [
        ([], 20, BOUNCE, "addresses: found 0; give 1 to 30"),
        ([f"l{n}@example.com" for n in range(31)], 20, BOUNCE, "addresses: found 31; give 1 to 30"),
        (["example.com"], 20, BOUNCE, r"addresses\[0\]: found 'example.com'; give one address"),
        (["a@example.com"], 0, BOUNCE, "per_minute: found 0; give a whole number"),
        (["a@example.com"], 1.5, BOUNCE, "per_minute: found 1.5; give a whole number"),
        (["a@example.com"], True, BOUNCE, "per_minute: found True; give a whole number"),
        (["a@example.com"], 1501, BOUNCE, "per_minute: found 1501 for each of 1 addresses; .* 1,500"),
        (["a@example.com"], 20, Deliver(), r"then: found Deliver\(\)"),
        (["*", "example.com"], 0, BOUNCE, r"(?s)addresses\[0\].*addresses\[1\].*per_minute"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(
    addresses: Sequence[str], per_minute: Any, then: Decision, found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        LimitRate(addresses=addresses, per_minute=per_minute, then=then)


def test_as_many_addresses_and_messages_as_the_step_counts_are_taken() -> None:
    LimitRate(addresses=[f"l{n}@example.com" for n in range(30)], per_minute=50, then=BOUNCE)


@pytest.mark.fact("R2")
def test_junk_is_for_inbound_mail_only() -> None:
    step = LimitRate(addresses=["all@example.com"], per_minute=20, then=Junk())
    with pytest.raises(ValueError, match="found LimitRate with an action that outbound mail does not have"):
        new_rule(new_stack(), direction="OUTBOUND", code=None, steps=[step])
    new_rule(new_stack(), direction="INBOUND", code=None, steps=[step])


def _tables(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = dict(Template.from_stack(stack).find_resources("AWS::DynamoDB::Table"))
    return found
