"""What the IAM User Guide says about policies, case by case, each under the title of its page.

A case is one statement beside an Allow for everything where the statement is a Deny, and the request's condition keys.
"""

from __future__ import annotations

import pytest

from workmail_local.iam.evaluate import evaluate

ROLE = "arn:aws:iam::123456789012:role/rule"
OBJECT = "arn:aws:s3:::updates/a-1"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ALLOWED, NO_ALLOW, DENIED = (True, False), (False, False), (False, True)


def decide(*statements, principal=None, resource=OBJECT, context=None):
    access = evaluate(statements, action="s3:GetObject", resource=resource, principal=principal, context=context)
    return access.allowed, access.denied


OPERATORS = "IAM JSON policy elements: Condition operators"
MULTIVALUED = "Single-valued vs. multivalued context keys"
CONDITION = "IAM JSON policy elements: Condition"
VARIABLES = "IAM policy elements: Variables and tags"

CONDITIONS = [
    # page, condition, condition keys of the request, as an Allow, as a Deny
    (CONDITION, {"StringEquals": {"AWS:UserName": "john"}}, {"aws:username": "john"}, ALLOWED, DENIED),
    (CONDITION, {"StringEquals": {"aws:username": "john"}}, {"aws:username": "John"}, NO_ALLOW, ALLOWED),
    (CONDITION, {"StringEquals": {"aws:username": "john"}}, {}, NO_ALLOW, ALLOWED),
    (OPERATORS, {"StringEqualsIgnoreCase": {"aws:username": "john"}}, {"aws:username": "John"}, ALLOWED, DENIED),
    (OPERATORS, {"StringNotEquals": {"aws:username": ["a", "b"]}}, {"aws:username": "b"}, NO_ALLOW, ALLOWED),
    (OPERATORS, {"StringNotEquals": {"aws:username": ["a", "b"]}}, {"aws:username": "c"}, ALLOWED, DENIED),
    (OPERATORS, {"StringNotEquals": {"aws:username": "a"}}, {}, ALLOWED, DENIED),
    (OPERATORS, {"StringNotLike": {"aws:username": "a*"}}, {}, ALLOWED, DENIED),
    (OPERATORS, {"StringEquals": {"aws:username": "a*"}}, {"aws:username": "ab"}, NO_ALLOW, ALLOWED),
    (OPERATORS, {"StringLike": {"aws:username": "a*"}}, {"aws:username": "ab"}, ALLOWED, DENIED),
    (OPERATORS, {"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "9"}, ALLOWED, DENIED),
    (OPERATORS, {"NumericNotEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "10.0"}, NO_ALLOW, ALLOWED),
    (OPERATORS, {"NumericNotEquals": {"s3:max-keys": "10"}}, {}, ALLOWED, DENIED),
    (
        OPERATORS,
        {"DateNotEquals": {"aws:TokenIssueTime": "1764028800"}},
        {"aws:TokenIssueTime": "2025-11-25T00:00:00Z"},
        NO_ALLOW,
        ALLOWED,
    ),
    (OPERATORS, {"Bool": {"aws:SecureTransport": "True"}}, {"aws:SecureTransport": "true"}, ALLOWED, DENIED),
    (OPERATORS, {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws:SourceIp": "203.0.113.7"}, ALLOWED, DENIED),
    (OPERATORS, {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws:SourceIp": "::1"}, ALLOWED, DENIED),
    (OPERATORS, {"ArnLike": {"k": "arn:aws:*:*:*:a"}}, {"k": "arn:aws:sns:us-east-1:1:a"}, ALLOWED, DENIED),
    (OPERATORS, {"ArnEquals": {"k": "arn:aws:*:1:a"}}, {"k": "arn:aws:sns:us-east-1:1:a"}, NO_ALLOW, ALLOWED),
    (OPERATORS, {"Null": {"aws:FederatedProvider": "true"}}, {}, ALLOWED, DENIED),
    (OPERATORS, {"Null": {"aws:username": "false"}}, {"aws:username": "john"}, ALLOWED, DENIED),
    (OPERATORS, {"Null": {"aws:username": ["true", "false"]}}, {}, ALLOWED, DENIED),
    (OPERATORS, {"StringLikeIfExists": {"ec2:InstanceType": ["t1.*"]}}, {}, ALLOWED, DENIED),
    (OPERATORS, {"StringLikeIfExists": {"k": ["t1.*"]}}, {"k": "m3.a"}, NO_ALLOW, ALLOWED),
    # IfExists is for every operator but Null.
    (OPERATORS, {"NullIfExists": {"aws:username": "true"}}, {}, NO_ALLOW, DENIED),
    (MULTIVALUED, {"ForAnyValue:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "c"]}, ALLOWED, DENIED),
    (MULTIVALUED, {"ForAnyValue:StringEquals": {"k": ["a", "b"]}}, {"k": ["c"]}, NO_ALLOW, ALLOWED),
    (MULTIVALUED, {"ForAnyValue:StringEquals": {"k": "a"}}, {}, NO_ALLOW, ALLOWED),
    (MULTIVALUED, {"ForAnyValue:StringNotEquals": {"k": "a"}}, {}, NO_ALLOW, ALLOWED),
    (MULTIVALUED, {"ForAnyValue:StringNotLike": {"k": "a"}}, {"k": []}, NO_ALLOW, ALLOWED),
    (MULTIVALUED, {"ForAnyValue:StringNotEquals": {"k": "a"}}, {"k": ["a", "c"]}, ALLOWED, DENIED),
    (MULTIVALUED, {"ForAnyValue:StringNotEquals": {"k": "a"}}, {"k": ["a"]}, NO_ALLOW, ALLOWED),
    (MULTIVALUED, {"ForAllValues:StringLike": {"k": ["a*", "b*"]}}, {"k": ["a1", "b1"]}, ALLOWED, DENIED),
    (MULTIVALUED, {"ForAllValues:StringLike": {"k": ["a*", "b*"]}}, {"k": ["a1", "c1"]}, NO_ALLOW, ALLOWED),
    (MULTIVALUED, {"ForAllValues:StringEquals": {"k": "a"}}, {}, ALLOWED, DENIED),
    (MULTIVALUED, {"ForAllValues:StringNotLike": {"k": "a*"}}, {}, ALLOWED, DENIED),
    (MULTIVALUED, {"ForAllValues:StringNotLike": {"k": "a*"}}, {"k": ["b", "a"]}, NO_ALLOW, ALLOWED),
    # The page requires a set operator for several values, and says nothing about IfExists beside ForAnyValue.
    (MULTIVALUED, {"StringEquals": {"k": "a"}}, {"k": ["a", "b"]}, NO_ALLOW, DENIED),
    (MULTIVALUED, {"ForAnyValue:StringEqualsIfExists": {"k": "a"}}, {}, NO_ALLOW, DENIED),
    # Without a value the variable equals nothing, so a negated operator matches.
    (VARIABLES, {"StringEquals": {"k": "${aws:SourceIdentity}"}}, {"k": "a"}, NO_ALLOW, ALLOWED),
    (VARIABLES, {"StringNotEquals": {"k": "${aws:SourceIdentity}"}}, {"k": "a"}, ALLOWED, DENIED),
    (VARIABLES, {"StringLike": {"k": "${aws:SourceIdentity, 'a'}?"}}, {"k": "ab"}, ALLOWED, DENIED),
    (VARIABLES, {"StringLike": {"k": "${*}*"}}, {"k": "ab"}, NO_ALLOW, ALLOWED),
    (VARIABLES, {"StringNotLike": {"k": "${k2}"}}, {"k": "ab", "k2": "*"}, ALLOWED, DENIED),
    (VARIABLES, {"StringNotEquals": {"k": "${aws:userid}"}}, {"k": "a"}, NO_ALLOW, DENIED),
]


@pytest.mark.parametrize(("page", "condition", "context", "as_allow", "as_deny"), CONDITIONS)
def test_conditions(page, condition, context, as_allow, as_deny):
    statement = ALLOW_ALL | {"Condition": condition}
    assert decide(statement, context=context) == as_allow, page
    assert decide(ALLOW_ALL, statement | {"Effect": "Deny"}, context=context) == as_deny, page


@pytest.mark.parametrize(
    "key",
    [
        *("aws:CurrentTime", "aws:EpochTime", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalIsAWSService"),
        *("aws:PrincipalType", "aws:RequestedRegion", "aws:ResourceAccount", "aws:SecureTransport", "aws:SourceIp"),
        *("aws:TokenIssueTime", "aws:UserAgent", "aws:ViaAWSService", "aws:MultiFactorAuthPresent", "aws:userid"),
    ],
)
@pytest.mark.parametrize(
    "operator", ["StringEquals", "StringNotEquals", "StringLikeIfExists", "ForAllValues:StringLike"]
)
def test_a_key_that_aws_supplies_is_never_taken_for_absent(key, operator):
    """AWS global condition context keys, *Availability*."""
    statement = ALLOW_ALL | {"Condition": {operator: {key: "x"}}}
    assert decide(statement) == NO_ALLOW
    assert decide(ALLOW_ALL, statement | {"Effect": "Deny"}) == DENIED


RESOURCE = "IAM JSON policy elements: Resource"
RULE = "arn:aws:lambda:us-east-1:123456789012:function:rule"


@pytest.mark.parametrize(
    ("page", "elements", "resource", "as_allow", "as_deny"),
    [
        (RESOURCE, {"Resource": "arn:aws:s3:::updates/*"}, OBJECT, ALLOWED, DENIED),
        (RESOURCE, {"Resource": "arn:aws:s3:::updates/?-1"}, OBJECT, ALLOWED, DENIED),
        (RESOURCE, {"Resource": "arn:aws:s3:::Updates/*"}, OBJECT, NO_ALLOW, ALLOWED),
        (RESOURCE, {"Resource": "arn:aws:lambda:us-east-1:*"}, RULE, ALLOWED, DENIED),
        # A wildcard at the end of a part "can" reach over a colon.
        (RESOURCE, {"Resource": "arn:aws:lambda:*:function:rule"}, RULE, NO_ALLOW, DENIED),
        ("IAM JSON policy elements: NotResource", {"NotResource": OBJECT}, OBJECT, NO_ALLOW, ALLOWED),
        ("IAM JSON policy elements: NotResource", {"NotResource": OBJECT}, RULE, ALLOWED, DENIED),
        (VARIABLES, {"Resource": "arn:aws:s3:::${aws:username}/*"}, OBJECT, NO_ALLOW, ALLOWED),
        (VARIABLES, {"Resource": "arn:aws:s3:::updates/${aws:userid}"}, OBJECT, NO_ALLOW, DENIED),
        (VARIABLES, {"Resource": "arn:aws:s3:::other/${aws:userid}"}, OBJECT, NO_ALLOW, ALLOWED),
        ("IAM JSON policy elements: Action", {"Action": "S3:get*", "Resource": "*"}, OBJECT, ALLOWED, DENIED),
        ("IAM JSON policy elements: Effect", {"Effect": "allow", "Resource": "*"}, OBJECT, DENIED, DENIED),
    ],
)
def test_resources_and_actions(page, elements, resource, as_allow, as_deny):
    statement = {"Effect": "Allow", "Action": "*"} | elements
    assert decide(statement, resource=resource) == as_allow, page
    assert decide(ALLOW_ALL, statement | {"Effect": "Deny"}, resource=resource) == as_deny, page


def test_not_action_and_action_exclude_each_other():
    """IAM JSON policy element reference."""
    statement = ALLOW_ALL | {"NotAction": "s3:PutObject"}
    assert decide(statement) == NO_ALLOW
    assert decide(ALLOW_ALL, statement | {"Effect": "Deny"}) == DENIED


PRINCIPAL = "AWS JSON policy elements: Principal"
NOT_PRINCIPAL = "AWS JSON policy elements: NotPrincipal"
ACCOUNT_ROOT = "arn:aws:iam::123456789012:root"
SESSION = "arn:aws:sts::123456789012:assumed-role/rule/session"


@pytest.mark.parametrize(
    ("page", "elements", "as_allow", "as_deny"),
    [
        (PRINCIPAL, {"Principal": "*"}, ALLOWED, DENIED),
        (PRINCIPAL, {"Principal": {"AWS": ROLE}}, ALLOWED, DENIED),
        # The account may use its own policies to allow; to deny, it stands for everyone in it.
        (PRINCIPAL, {"Principal": {"AWS": ACCOUNT_ROOT}}, NO_ALLOW, DENIED),
        (PRINCIPAL, {"Principal": {"AWS": "123456789012"}}, NO_ALLOW, DENIED),
        (PRINCIPAL, {"Principal": {"AWS": "999999999999"}}, NO_ALLOW, ALLOWED),
        # Which session a function's role has, and the canonical id of its account, are not known here.
        (PRINCIPAL, {"Principal": {"AWS": SESSION}}, NO_ALLOW, DENIED),
        (PRINCIPAL, {"Principal": {"CanonicalUser": "79a59df900b949e5"}}, NO_ALLOW, DENIED),
        # A wildcard must not be part of a name.
        (PRINCIPAL, {"Principal": {"AWS": "arn:aws:iam::123456789012:role/*"}}, NO_ALLOW, DENIED),
        (NOT_PRINCIPAL, {"NotPrincipal": {"AWS": "arn:aws:iam::123456789012:role/other"}}, NO_ALLOW, DENIED),
        # It spares a role only where it also names the account and the session.
        (NOT_PRINCIPAL, {"NotPrincipal": {"AWS": ROLE}}, NO_ALLOW, DENIED),
    ],
)
def test_principals(page, elements, as_allow, as_deny):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"} | elements
    everyone = ALLOW_ALL | {"Principal": "*"}
    assert decide(statement, principal=ROLE) == as_allow, page
    assert decide(everyone, statement | {"Effect": "Deny"}, principal=ROLE) == as_deny, page
