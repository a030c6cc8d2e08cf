"""Who may read and update content: the developer, and deployed functions as their roles allow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from workmail_flow.arns import GET_CONTENT, PUT_CONTENT
from workmail_flow.vocabulary import FlowDirection
from workmail_local.access_keys import AccessKeys
from workmail_local.deployed import Deployed
from workmail_local.faults import FaultPlan
from workmail_local.handler_folder import DEFAULT_ORGANIZATION_ID, HandlerFolder
from workmail_local.message_flow.content_permissions import ContentPermissions
from workmail_local.message_flow.service import MessageFlowCall, MessageFlowError
from workmail_local.records import MessageInTransit

if TYPE_CHECKING:
    from pathlib import Path

KEYS = AccessKeys.random()
PLACE = {"region": "us-east-1", "account": "123456789012"}
MESSAGE = MessageInTransit("a-1", DEFAULT_ORGANIZATION_ID, FlowDirection.INBOUND, 0)


def admit(tmp_path: Path, action: str, key_id: str) -> None:
    deployed = Deployed.of(
        [HandlerFolder(name="rule", folder=tmp_path, content_access="read").deployment(**PLACE)], **PLACE
    )
    faults = FaultPlan(tmp_path / "faults.json")
    permissions = ContentPermissions(keys=KEYS, deployed=lambda: deployed, faults=faults, rule_of=lambda _: "rule")
    asyncio.run(permissions.admit(MessageFlowCall(action, MESSAGE, key_id)))


def key_of(name: str) -> str:
    return KEYS.of_function(f"arn:aws:lambda:us-east-1:123456789012:function:{name}")


def test_the_developer_and_a_function_whose_role_allows_it_are_admitted(tmp_path: Path) -> None:
    admit(tmp_path, PUT_CONTENT, KEYS.developer)
    admit(tmp_path, GET_CONTENT, key_of("rule"))


def test_a_function_may_do_no_more_than_its_role_allows(tmp_path: Path) -> None:
    with pytest.raises(MessageFlowError, match="is not authorized to perform workmailmessageflow:PutRawMessageContent"):
        admit(tmp_path, PUT_CONTENT, key_of("rule"))


def test_a_function_that_is_no_longer_deployed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MessageFlowError, match="The function that calls is not deployed"):
        admit(tmp_path, GET_CONTENT, key_of("removed"))
