"""docs/permissions.md lists every IAM statement that the constructs make, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk.aws_iam import PolicyStatement
from constructs import Construct

import workmail_constructs
from tests.constructs.pages import assert_is_current, permissions
from tests.constructs.stacks import new_rule

if TYPE_CHECKING:
    from aws_cdk import Stack


def test_each_statement_has_a_reason_and_each_reason_a_statement() -> None:
    made = {each.reason_key for case in permissions.CASES for each in permissions.statements(case)}
    assert permissions.REASONS.keys() == made


def test_the_page_lists_what_is_made() -> None:
    assert_is_current(permissions.NAME, permissions.page())


def test_no_construct_is_left_out() -> None:
    constructs = {
        name for name in workmail_constructs.__all__ if issubclass(getattr(workmail_constructs, name), Construct)
    }
    listed = {case.construct for case in permissions.CASES} - {"Steps"}
    assert constructs
    assert constructs == listed


def test_a_new_statement_has_no_reason_until_somebody_gives_one() -> None:
    def build(stack: Stack, brought: dict[str, Any]) -> None:
        rule = new_rule(stack, **brought)
        assert rule.role is not None
        rule.role.add_to_principal_policy(PolicyStatement(actions=["s3:GetObject"], resources=["*"]))

    made = {each.reason_key for each in permissions.statements(permissions.Case("RunLambdaRule", "wider", build))}

    assert made - permissions.REASONS.keys() == {("role's policy", "Allow", "s3:GetObject")}
