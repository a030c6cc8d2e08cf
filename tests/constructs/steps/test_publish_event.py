"""PublishEvent in a rule: its configuration, its right, and arguments that it refuses."""

from __future__ import annotations

import pytest
from aws_cdk.assertions import Template
from aws_cdk.aws_events import EventBus

from tests.constructs.stacks import ORGANIZATION_ID, new_stack, properties_of
from tests.constructs.steps.configuration import packed_configuration, step_rights
from workmail_constructs import Run
from workmail_constructs.steps.publish_event import PublishEvent

BUS_ARN = "arn:aws:events:eu-west-1:111122223333:event-bus/mail"


def test_the_detail_has_no_address_and_no_subject_by_default() -> None:
    stack = new_stack()
    bus = EventBus.from_event_bus_arn(stack, "Bus", BUS_ARN)
    (configuration,) = packed_configuration(stack, PublishEvent(bus))
    assert configuration == {
        "bus": BUS_ARN,
        "source": "workmail.rules",
        "detail_type": "WorkMail Message",
        "addresses": False,
        "subject": False,
        "organization_id": ORGANIZATION_ID,
    }


def test_it_may_put_events_on_its_bus_only_and_has_the_table_for_once() -> None:
    stack = new_stack(env=None)
    packed_configuration(stack, PublishEvent(EventBus(stack, "Bus")), run=Run.asynchronous())
    puts = [each for each in step_rights(stack) if "sqs:SendMessage" not in each["Action"]]
    assert [each["Action"] for each in puts] == ["events:PutEvents"]
    (bus,) = Template.from_stack(stack).find_resources("AWS::Events::EventBus")
    assert puts[0]["Resource"] == {"Fn::GetAtt": [bus, "Arn"]}
    assert len(properties_of(stack, "AWS::DynamoDB::Table")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "aws.mail"}, "names that begin with aws. are those of AWS services"),
        ({"source": ""}, "source: found 0 characters; give 1 to 256"),
        ({"source": "s" * 257}, "source: found 257 characters; give 1 to 256"),
        ({"detail_type": "t" * 129}, "detail_type: found 129 characters; give 1 to 128"),
    ],
)
def test_what_eventbridge_would_not_take_is_refused(arguments: dict[str, str], message: str) -> None:
    bus = EventBus.from_event_bus_arn(new_stack(), "Bus", BUS_ARN)
    with pytest.raises(ValueError, match=message):
        PublishEvent(bus, **arguments)  # type: ignore[arg-type]


def test_all_that_is_wrong_is_named_together() -> None:
    bus = EventBus.from_event_bus_arn(new_stack(), "Bus", BUS_ARN)
    with pytest.raises(ValueError, match=r"source: .*; detail_type: "):
        PublishEvent(bus, source=" ", detail_type=" ")
