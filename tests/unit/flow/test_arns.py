"""The names that policies of the constructs and of the local WorkMail have in common."""

from __future__ import annotations

import pytest

from workmail_flow.arns import message_arn, organization_arn, workmail_principal
from workmail_flow.vocabulary import FlowDirection

HERE = {"region": "eu-west-1", "account": "111122223333"}


@pytest.mark.fact("L3")
def test_an_organization() -> None:
    assert organization_arn("m-1", **HERE) == "arn:aws:workmail:eu-west-1:111122223333:organization/m-1"


@pytest.mark.fact("L4")
def test_workmail_calls_as_the_service_of_its_region() -> None:
    assert workmail_principal("eu-west-1") == "workmail.eu-west-1.amazonaws.com"


@pytest.mark.fact("C3")
def test_messages_are_named_by_organization_direction_and_id() -> None:
    messages = "arn:aws:workmailmessageflow:eu-west-1:111122223333:message/m-1"
    assert message_arn("m-1", **HERE) == f"{messages}/*"
    assert message_arn("m-1", **HERE, direction=FlowDirection.INBOUND) == f"{messages}/incoming/*"
    assert message_arn("m-1", **HERE, direction=FlowDirection.OUTBOUND, message_id="a-b") == f"{messages}/outgoing/a-b"
