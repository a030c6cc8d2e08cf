"""The template of the one statement, small enough to review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.constructs.stacks import new_rule, new_stack
from workmail_constructs import ContentAccess, WorkMailOrganization

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


def test_run_lambda_rule(template_snapshot: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    new_rule(stack, content_access=ContentAccess.READ)

    assert stack == template_snapshot


def test_from_alias(template_snapshot: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    WorkMailOrganization.from_alias(stack, "Organization", "acme")

    assert stack == template_snapshot
