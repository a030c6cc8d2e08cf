from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.iam.evaluate import evaluate

ORGANIZATION = "arn:aws:workmail:us-east-1:123456789012:organization/m-0123456789abcdef0123456789abcdef"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:rule"
WORKMAIL = "workmail.us-east-1.amazonaws.com"
PERMISSION = {
    "Sid": "AllowWorkMail",
    "Effect": "Allow",
    "Principal": {"Service": WORKMAIL},
    "Action": "lambda:InvokeFunction",
    "Resource": FUNCTION,
    "Condition": {"ArnLike": {"AWS:SourceArn": ORGANIZATION}},
}


def invoke(*statements, principal=WORKMAIL, source_arn=ORGANIZATION):
    return evaluate(
        statements,
        action="lambda:InvokeFunction",
        resource=FUNCTION,
        principal=principal,
        context={"aws:SourceArn": source_arn, "aws:SourceAccount": "123456789012"},
    )


@pytest.mark.fact("L4")
def test_the_documented_permission_lets_workmail_invoke():
    access = invoke(PERMISSION)
    assert access.allowed
    assert access.reason == "allowed by AllowWorkMail"


@pytest.mark.fact("L4")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"Principal": {"Service": "workmail.us-west-2.amazonaws.com"}},
            "its Principal is Service workmail.us-west-2.amazonaws.com, not workmail.us-east-1.amazonaws.com",
        ),
        ({"Action": "lambda:GetFunction"}, "its Action is lambda:GetFunction"),
        ({"Resource": FUNCTION + ":live"}, f"its Resource is {FUNCTION}:live, not {FUNCTION}"),
        (
            {"Condition": {"ArnLike": {"aws:SourceArn": ORGANIZATION.replace("m-0", "m-1")}}},
            f"but it is {ORGANIZATION}",
        ),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}, "but it is 123456789012"),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, "but the request has no aws:PrincipalOrgID"),
    ],
)
def test_a_permission_that_does_not_fit_says_why(changes, reason):
    access = invoke({**PERMISSION, **changes})
    assert not access.allowed
    assert "AllowWorkMail: " in access.reason
    assert reason in access.reason


def test_no_statements_allow_nothing():
    assert invoke().reason == f"no policy allows lambda:InvokeFunction on {FUNCTION}: there are no statements"


def test_an_explicit_deny_wins_over_every_allow():
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    for statements in ([PERMISSION, deny], [deny, PERMISSION]):
        access = invoke(*statements)
        assert (access.allowed, access.denied, access.reason) == (False, True, "explicitly denied by No")


def test_an_unknown_operator_neither_allows_nor_lets_a_deny_pass():
    condition = {"Condition": {"BinaryEquals": {"aws:SourceArn": "x"}}}
    allowed = invoke({**PERMISSION, **condition})
    assert not allowed.allowed
    assert "BinaryEquals was not evaluated: the operator is not known here" in allowed.reason
    denied = invoke(PERMISSION, {**PERMISSION, **condition, "Sid": "No", "Effect": "Deny"})
    assert not denied.allowed
    assert denied.reason.startswith("denied to be safe: No denies and BinaryEquals was not evaluated")


def test_identity_statements_need_no_principal_and_resource_statements_do():
    statement = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    assert invoke(statement, principal=None).allowed
    assert "it names no Principal" in invoke(statement).reason


@pytest.mark.parametrize(
    ("principal", "element", "allowed"),
    [
        (WORKMAIL, "*", True),
        (WORKMAIL, {"AWS": "*"}, True),
        (WORKMAIL, {"Service": ["lambda.amazonaws.com", WORKMAIL]}, True),
        (WORKMAIL, {"Service": "workmail.*.amazonaws.com"}, False),
        # The account is left to decide by its own policies.
        ("arn:aws:iam::123456789012:role/r", {"AWS": "123456789012"}, False),
        ("arn:aws:iam::123456789012:role/r", {"AWS": "arn:aws:iam::123456789012:root"}, False),
        ("arn:aws:iam::123456789012:role/r", {"AWS": ["arn:aws:iam::123456789012:role/r"]}, True),
        ("arn:aws:iam::123456789012:role/r", {"AWS": "arn:aws:iam::123456789012:role/other"}, False),
        ("arn:aws:iam::123456789012:role/r", {"AWS": "999999999999"}, False),
        ("arn:aws:iam::123456789012:role/r", {"Service": WORKMAIL}, False),
    ],
)
def test_principals(principal, element, allowed):
    assert invoke({**PERMISSION, "Principal": element}, principal=principal).allowed is allowed


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Action": "S3:getobject", "Resource": "*"}, True),
        ({"Action": "s3:Get*", "Resource": "*"}, True),
        ({"Action": "s3:GetObjec?", "Resource": "*"}, True),
        ({"Action": ["s3:PutObject", "s3:GetBucket*"], "Resource": "*"}, False),
        ({"NotAction": "s3:Put*", "Resource": "*"}, True),
        ({"NotAction": ["s3:Get*"], "Resource": "*"}, False),
        ({"Resource": "*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::messages/*"}, True),
        ({"Action": "*", "Resource": "arn:aws:s3:::Messages/*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::messages"}, False),
        ({"Action": "*", "NotResource": "arn:aws:s3:::messages/*"}, False),
        ({"Action": "*", "NotResource": "arn:aws:s3:::other/*"}, True),
        ({"Action": "*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::${aws:PrincipalTag/team}/*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::${aws:SourceIdentity, 'messages'}/*"}, True),
        # AWS has a value for this key, so it would not take the default.
        ({"Action": "*", "Resource": "arn:aws:s3:::${aws:PrincipalAccount, 'messages'}/*"}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::mess*/${aws:username}/*"}, True),
    ],
)
def test_actions_and_resources(statement, allowed):
    access = evaluate(
        [{"Effect": "Allow", **statement}],
        action="s3:GetObject",
        resource="arn:aws:s3:::messages/ann*/1",
        principal=None,
        context={"aws:username": "ann*"},
    )
    assert access.allowed is allowed


segments = st.text(st.sampled_from("ab*?.-/"), max_size=6)


@given(st.lists(segments, min_size=6, max_size=6), st.lists(st.text("ab.-/", max_size=6), min_size=6, max_size=6))
def test_a_wildcard_never_reaches_into_the_next_part_of_an_arn(pattern, arn):
    def part(wanted, found):
        return fnmatch.fnmatchcase(found, wanted)

    access = evaluate(
        [{"Effect": "Allow", "Action": "*", "Resource": ":".join(pattern)}],
        action="s3:GetObject",
        resource=":".join(arn),
        context={},
    )
    assert access.allowed == all(map(part, pattern, arn))


statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.sampled_from(["s3:*", "s3:GetObject", "s3:PutObject", "*"]),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]),
    },
    optional={
        "Condition": st.sampled_from(
            [
                {"Bool": {"aws:SecureTransport": "false"}},
                {"Bool": {"aws:SecureTransport": True}},
                {"StringEquals": {"aws:SourceAccount": ["1", "2"]}},
                {"NoSuchOperator": {"aws:SourceAccount": "1"}},
            ]
        )
    },
)


@given(st.lists(statements, max_size=6), st.randoms(use_true_random=False))
def test_order_never_matters_and_adding_an_allow_never_takes_access_away(policy, random):
    def decide(some):
        context = {"aws:SecureTransport": "true", "aws:SourceAccount": "1"}
        return evaluate(some, action="s3:GetObject", resource="arn:aws:s3:::a/key", context=context).allowed

    shuffled = list(policy)
    random.shuffle(shuffled)
    assert decide(policy) == decide(shuffled)
    assert decide([*policy, {"Effect": "Allow", "Action": "*", "Resource": "*"}]) >= decide(policy)
    assert not decide([*policy, {"Effect": "Deny", "Action": "*", "Resource": "*"}])
