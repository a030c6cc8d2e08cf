"""What the person who types the rules may do."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Environment, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import AccountRootPrincipal, Role

from tests.constructs.stacks import ORGANIZATION_ID
from workmail_constructs import FlowRuleOperatorPolicy, WorkMailOrganization


@pytest.mark.fact("L7")
def test_it_allows_the_consoles_actions_on_that_organization_and_nothing_else(snapshot: Any) -> None:
    stack = Stack(env=Environment(region="us-east-1", account="111122223333"))
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    policy = FlowRuleOperatorPolicy(stack, "Operator", organization=organization)
    Role(stack, "Administrator", assumed_by=AccountRootPrincipal()).add_managed_policy(policy)

    (made,) = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    assert "ManagedPolicyName" not in made["Properties"]
    assert made["Properties"]["PolicyDocument"] == snapshot
