"""What a WorkMailOrganization is made from, and the ARNs it returns."""

from __future__ import annotations

import pytest
from aws_cdk import CfnParameter

from tests.constructs.stacks import MESSAGES_ARN, ORGANIZATION_ARN, ORGANIZATION_ID, new_stack
from workmail_constructs import FlowDirection, WorkMailOrganization


@pytest.mark.fact("L3")
def test_an_id_gives_the_arn_in_the_stacks_own_region_and_account() -> None:
    organization = WorkMailOrganization.from_organization_id(new_stack(), "Org", ORGANIZATION_ID)

    assert organization.organization_arn == ORGANIZATION_ARN
    assert (organization.region, organization.account) == ("eu-west-1", "111122223333")


@pytest.mark.fact("L3")
def test_an_id_gives_an_arn_that_follows_a_stack_without_environment() -> None:
    stack = new_stack(env=None)
    organization = WorkMailOrganization.from_organization_id(stack, "Org", ORGANIZATION_ID)

    assert stack.resolve(organization.organization_arn) == {
        "Fn::Join": [
            "",
            [
                "arn:aws:workmail:",
                {"Ref": "AWS::Region"},
                ":",
                {"Ref": "AWS::AccountId"},
                f":organization/{ORGANIZATION_ID}",
            ],
        ]
    }


def test_an_arn_gives_id_region_and_account() -> None:
    organization = WorkMailOrganization.from_organization_arn(
        new_stack(), "Org", f"arn:aws:workmail:us-west-2:444455556666:organization/{ORGANIZATION_ID}"
    )

    assert organization.organization_id == ORGANIZATION_ID
    assert (organization.region, organization.account) == ("us-west-2", "444455556666")


def test_tokens_go_in_and_come_out() -> None:
    stack = new_stack(env=None)
    id_parameter = CfnParameter(stack, "Id").value_as_string
    arn_parameter = CfnParameter(stack, "Arn").value_as_string
    by_id = WorkMailOrganization.from_organization_id(stack, "ById", id_parameter)
    by_arn = WorkMailOrganization.from_organization_arn(stack, "ByArn", arn_parameter)

    assert stack.resolve(by_id.organization_id) == {"Ref": "Id"}
    assert stack.resolve(by_arn.organization_arn) == {"Ref": "Arn"}
    fields = {"Fn::Split": [":", {"Ref": "Arn"}]}
    assert stack.resolve(by_arn.region) == {"Fn::Select": [3, fields]}
    assert stack.resolve(by_arn.organization_id) == {
        "Fn::Select": [1, {"Fn::Split": ["/", {"Fn::Select": [5, fields]}]}]
    }


@pytest.mark.fact("C3")
@pytest.mark.parametrize(
    ("direction", "context"), [(FlowDirection.INBOUND, "incoming"), (FlowDirection.OUTBOUND, "outgoing")]
)
def test_the_message_arn_names_organization_and_context(direction: FlowDirection, context: str) -> None:
    organization = WorkMailOrganization.from_organization_id(new_stack(), "Org", ORGANIZATION_ID)

    assert organization.message_arn(direction) == f"{MESSAGES_ARN}/{context}/*"


@pytest.mark.fact("L3")
@pytest.mark.parametrize("wrong", ["", "m-123", ORGANIZATION_ID.upper(), ORGANIZATION_ID + "0", "m-" + "g" * 32])
def test_a_malformed_id_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"organization_id: found .*32 lower-case hex digits"):
        WorkMailOrganization.from_organization_id(new_stack(), "Org", wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        ORGANIZATION_ID,
        ORGANIZATION_ARN.replace("arn:aws:", "arn:aws-cn:"),
        ORGANIZATION_ARN.replace(":workmail:", ":ses:"),
        ORGANIZATION_ARN.replace("111122223333", "1111"),
        ORGANIZATION_ARN.replace(ORGANIZATION_ID, "*"),
    ],
)
def test_an_arn_that_is_not_an_organizations_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"organization_arn: found .*arn:aws:workmail:REGION:ACCOUNT:organization/m-"):
        WorkMailOrganization.from_organization_arn(new_stack(), "Org", wrong)


def test_one_domain_given_as_a_string_is_refused() -> None:
    with pytest.raises(TypeError, match=r"domains: found the string 'example.com'; give a list"):
        WorkMailOrganization.from_organization_id(new_stack(), "Org", ORGANIZATION_ID, domains="example.com")


@pytest.mark.fact("F6")
def test_more_domains_than_an_organization_has_are_refused() -> None:
    domains = [f"d{index}.example.com" for index in range(1_001)]
    with pytest.raises(ValueError, match=r"domains: found 1001; an organization has 1000 at most"):
        WorkMailOrganization.from_organization_id(new_stack(), "Org", ORGANIZATION_ID, domains=domains)
