from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workmail_flow.arns import GET_CONTENT, PUT_CONTENT
from workmail_local.iam.questions import may_role, may_workmail_invoke, may_workmail_read_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_local.iam.evaluate import Access

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
ORGANIZATION = f"arn:aws:workmail:eu-west-1:123456789012:organization/{ORGANIZATION_ID}"
MESSAGE = f"arn:aws:workmailmessageflow:eu-west-1:123456789012:message/{ORGANIZATION_ID}/incoming/1"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rule"
ROLE = "arn:aws:iam::123456789012:role/rule"
PERMISSION = {
    "Effect": "Allow",
    "Principal": {"Service": "workmail.eu-west-1.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": f"{FUNCTION}:live",
    "Condition": {"ArnLike": {"AWS:SourceArn": ORGANIZATION}},
}
READ = {
    "Sid": "AllowWorkMail",
    "Effect": "Allow",
    "Principal": {"Service": "workmail.eu-west-1.amazonaws.com"},
    "Action": ["s3:GetObject", "s3:GetObjectVersion"],
    "Resource": "arn:aws:s3:::updates/*",
    "Condition": {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "Bool": {"aws:SecureTransport": "true"},
        "ArnLike": {"aws:SourceArn": MESSAGE.replace("incoming/1", "*")},
    },
}


@pytest.mark.fact("L4")
def test_workmail_invokes_with_the_permission_of_just_this_alias() -> None:
    policies = {f"{FUNCTION}:live": [PERMISSION]}
    assert may_workmail_invoke(policies, function_arn=f"{FUNCTION}:live", organization_arn=ORGANIZATION).allowed
    access = may_workmail_invoke(policies, function_arn=FUNCTION, organization_arn=ORGANIZATION)
    assert not access.allowed
    assert access.reason == (
        f"the function policy of {FUNCTION} has no statement, so WorkMail may not invoke it; "
        f"the permission is on {FUNCTION}:live, which is another one"
    )
    other = ORGANIZATION.replace("m-0", "m-1")
    assert not may_workmail_invoke(policies, function_arn=f"{FUNCTION}:live", organization_arn=other).allowed


@pytest.mark.fact("C3")
def test_a_role_reads_messages_of_its_organization_and_direction() -> None:
    allow = {"Effect": "Allow", "Action": GET_CONTENT, "Resource": MESSAGE.replace("/1", "/*")}

    def may(role: str = ROLE, resource: str = MESSAGE, action: str = GET_CONTENT) -> bool:
        return may_role({ROLE: [allow]}, role_arn=role, action=action, resource=resource, region="eu-west-1").allowed

    assert may()
    assert not may(resource=MESSAGE.replace("incoming", "outgoing"))
    assert not may(action=PUT_CONTENT)
    assert not may(role=ROLE + "-elsewhere")


@pytest.mark.fact("C5")
@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({}, None),
        ({"Action": "s3:GetObject"}, "no statement allows s3:GetObjectVersion"),
        ({"Principal": {"Service": "workmail.us-east-1.amazonaws.com"}}, "its Principal is Service workmail.us-east-1"),
        ({"Resource": "arn:aws:s3:::updates"}, "its Resource is arn:aws:s3:::updates, not arn:aws:s3:::updates/a-1"),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}, "aws:SourceAccount 1, but it is 123456789012"),
        ({"Condition": {"ArnLike": {"aws:SourceArn": ORGANIZATION}}}, f"but it is {MESSAGE}"),
    ],
)
def test_workmail_reads_an_updated_message_if_the_bucket_lets_it(changes: dict[str, object], hint: str | None) -> None:
    access = may_workmail_read_object(
        {"updates": [{**READ, **changes}]}, bucket="updates", key="a-1", message_arn=MESSAGE
    )
    assert access.allowed is (hint is None)
    assert hint is None or hint in access.reason


# Conditions that hold for every call of the kind, so that they neither keep an Allow from allowing nor deny.
SERVICE = {
    "Bool": {"aws:PrincipalIsAWSService": "true", "aws:SecureTransport": "true"},
    "StringEquals": {
        "aws:PrincipalServiceName": "workmail.eu-west-1.amazonaws.com",
        "aws:RequestedRegion": "eu-west-1",
        "aws:ResourceAccount": "123456789012",
        "aws:SourceAccount": "123456789012",
    },
    "Null": {"aws:PrincipalOrgID": "true", "aws:username": "true"},
}
FUNCTION_ROLE = {
    "Bool": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false", "aws:SecureTransport": "true"},
    "StringEquals": {
        "aws:PrincipalAccount": "123456789012",
        "aws:PrincipalType": "AssumedRole",
        "aws:RequestedRegion": "eu-west-1",
        "aws:ResourceAccount": "123456789012",
    },
    "ArnEquals": {"aws:PrincipalArn": ROLE},
    "Null": {"aws:SourceArn": "true", "aws:CalledVia": "true", "aws:username": "true", "aws:UserAgent": "false"},
}
# What nobody knows without AWS; neither the condition nor its opposite may allow.
NOT_KNOWN = [
    *("aws:CurrentTime", "aws:SourceIp", "aws:SourceVpce", "aws:TagKeys", "aws:UserAgent", "aws:userid"),
    *("aws:TokenIssueTime", "aws:ResourceOrgID", "aws:PrincipalTag/team", "aws:ResourceTag/team"),
]


def may_invoke(*statements: dict[str, object]) -> Access:
    return may_workmail_invoke({FUNCTION: statements}, function_arn=FUNCTION, organization_arn=ORGANIZATION)


def may_read(*statements: dict[str, object]) -> Access:
    return may_workmail_read_object({"updates": statements}, bucket="updates", key="a-1", message_arn=MESSAGE)


def may_get(*statements: dict[str, object]) -> Access:
    own = [
        {name: value for name, value in statement.items() if name != "Principal"} | {"Action": GET_CONTENT}
        for statement in statements
    ]
    return may_role({ROLE: own}, role_arn=ROLE, action=GET_CONTENT, resource=MESSAGE, region="eu-west-1")


CALLS = [
    pytest.param(may_invoke, SERVICE, "lambda:FunctionUrlAuthType", marks=pytest.mark.fact("L4")),
    pytest.param(may_read, SERVICE, "s3:ExistingObjectTag/team", marks=pytest.mark.fact("C5")),
    pytest.param(may_get, FUNCTION_ROLE, "aws:PrincipalOrgID", marks=pytest.mark.fact("C3")),
]


@pytest.mark.parametrize(("may", "true_conditions", "_own_key"), CALLS)
def test_each_call_carries_the_keys_that_aws_supplies(
    may: Callable[..., Access], true_conditions: dict[str, object], _own_key: str
) -> None:
    allow = PERMISSION | {"Action": "*", "Resource": "*", "Condition": {}}
    assert may(allow | {"Condition": true_conditions}).allowed
    assert may(allow, allow | {"Effect": "Deny", "Condition": true_conditions}).reason.startswith("explicitly denied")


@pytest.mark.parametrize(("may", "_true_conditions", "own_key"), CALLS)
def test_a_key_whose_value_is_not_known_neither_allows_nor_keeps_a_deny_from_denying(
    may: Callable[..., Access], _true_conditions: dict[str, object], own_key: str
) -> None:
    allow = PERMISSION | {"Action": "*", "Resource": "*", "Condition": {}}
    for key in (*NOT_KNOWN, own_key):
        for operator in ("StringEquals", "StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals"):
            condition = {"Condition": {operator: {key: "x"}}}
            assert f"{operator} {key} x was not evaluated" in may(allow | condition).reason
            assert may(allow, allow | {"Effect": "Deny"} | condition).denied


@pytest.mark.fact("C5")
def test_a_bucket_that_wants_tls_1_2_lets_workmail_read() -> None:
    old_tls = READ | {"Effect": "Deny", "Action": "s3:*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}
    assert may_read(READ, old_tls).allowed
    old_tls["Condition"] = {"NumericLessThan": {"s3:TlsVersion": "1.3"}}
    assert may_read(READ, old_tls).denied


@pytest.mark.fact("C5")
def test_a_bucket_without_a_policy_is_not_read() -> None:
    access = may_workmail_read_object({}, bucket="updates", key="a-1", message_arn=MESSAGE)
    assert access.reason == "bucket updates has no policy, so WorkMail may not read from it"
