"""What docs/testing.md shows: a stack and a handler tested without deploying anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aws_cdk import App

from tests.constructs.testing.mail_stack import MailStack
from tests.local.handlers.large_lists.app import handler
from workmail_constructs import FlowDirection
from workmail_constructs.testing import (
    EVENT_EDITIONS,
    assert_rule_declared,
    assert_workmail_can_invoke,
    inbound_event,
)

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from workmail_constructs.testing import EventEdition


@pytest.fixture
def stack() -> MailStack:
    return MailStack(App(), "Mail")


def test_the_resources_are_those_that_were_reviewed(stack: MailStack, template_snapshot: SnapshotAssertion) -> None:
    assert stack == template_snapshot


def test_workmail_can_invoke_the_function(stack: MailStack) -> None:
    assert_workmail_can_invoke(stack, stack.large_lists)


def test_the_rule_is_declared(stack: MailStack) -> None:
    assert_rule_declared(stack, "LargeLists", direction=FlowDirection.INBOUND, senders=["*"])


@pytest.mark.parametrize("edition", EVENT_EDITIONS)
def test_many_recipients_get_it_as_junk(edition: EventEdition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOST", "1")
    event = inbound_event(recipients=["ann@example.com", "bob@example.com"], edition=edition)

    (action,) = handler(event, None)["actions"]

    assert action == {"action": {"type": "MOVE_TO_JUNK"}, "allRecipients": True}
