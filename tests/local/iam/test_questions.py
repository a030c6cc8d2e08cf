from __future__ import annotations

import pytest

from workmail_local.iam.questions import may_role, may_workmail_invoke, may_workmail_read_object

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
    get = "workmailmessageflow:GetRawMessageContent"
    allow = {"Effect": "Allow", "Action": get, "Resource": MESSAGE.replace("/1", "/*")}

    def may(role: str = ROLE, resource: str = MESSAGE, action: str = get) -> bool:
        return may_role({ROLE: [allow]}, role_arn=role, action=action, resource=resource, region="eu-west-1").allowed

    assert may()
    assert not may(resource=MESSAGE.replace("incoming", "outgoing"))
    assert not may(action="workmailmessageflow:PutRawMessageContent")
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


@pytest.mark.fact("C5")
def test_a_bucket_without_a_policy_is_not_read() -> None:
    access = may_workmail_read_object({}, bucket="updates", key="a-1", message_arn=MESSAGE)
    assert access.reason == "bucket updates has no policy, so WorkMail may not read from it"
