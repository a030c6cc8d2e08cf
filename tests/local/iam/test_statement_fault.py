from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.iam.evaluate import evaluate

GOOD = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def decide(*statements, principal="workmail.us-east-1.amazonaws.com"):
    return evaluate(statements, action="s3:GetObject", resource="arn:aws:s3:::b/k", principal=principal)


def without(element):
    return {name: value for name, value in GOOD.items() if name != element}


MALFORMED = [
    (GOOD | {"Extra": 1}, "it has an unknown element 'Extra'; allowed are Action, Condition, Effect,"),
    (without("Principal"), "it names no Principal"),
    (GOOD | {"NotPrincipal": "*"}, "it has both Principal and NotPrincipal"),
    (GOOD | {"Principal": "arn:aws:iam::1:role/r"}, "its Principal is 'arn:aws:iam::1:role/r', neither * nor one of"),
    (GOOD | {"Principal": {}}, "its Principal is {}, neither * nor one of AWS, CanonicalUser, Federated, Service"),
    (GOOD | {"Principal": {"Aws": "*"}}, "its Principal is {'Aws': '*'}, neither * nor one of"),
    (GOOD | {"Principal": {"AWS": []}}, "its Principal has [] for AWS"),
    (GOOD | {"Principal": {"AWS": 1}}, "its Principal has 1 for AWS"),
    (GOOD | {"Principal": {"AWS": "arn:aws:iam::1:role/*"}}, "allowed are whole names and * for AWS"),
    (without("Action"), "it has no Action"),
    (GOOD | {"NotAction": "s3:*"}, "it has both Action and NotAction"),
    (GOOD | {"Action": []}, "its Action has []; allowed are one text or a list with at least one text"),
    (GOOD | {"Action": ["s3:GetObject", 7]}, "its Action has 7"),
    (GOOD | {"Action": None}, "its Action has None"),
    (GOOD | {"Action": "GetObject"}, "its Action is 'GetObject', neither * nor service:action"),
    (without("Resource"), "it has no Resource"),
    (GOOD | {"NotResource": "*"}, "it has both Resource and NotResource"),
    (GOOD | {"Resource": {"Ref": "Bucket"}}, "its Resource has {'Ref': 'Bucket'}"),
    (GOOD | {"Resource": ""}, "its Resource has ''"),
    (GOOD | {"Condition": ["Bool"]}, "its Condition is ['Bool'], not an object of operators"),
    (GOOD | {"Condition": {"Bool": "aws:SecureTransport"}}, "its 'Bool' is 'aws:SecureTransport', not an object"),
    (GOOD | {"Condition": {"Bool": {}}}, "its 'Bool' is {}, not an object of condition keys"),
    (GOOD | {"Condition": {"Null": {"aws:username": []}}}, "its 'Null' wants [] of 'aws:username'"),
    (GOOD | {"Condition": {"StringEquals": {"aws:username": {"a": 1}}}}, "wants {'a': 1} of 'aws:username'"),
    (GOOD | {"Condition": {"StringEquals": {"aws:username": [None]}}}, "wants None of 'aws:username'"),
]


@pytest.mark.parametrize(("statement", "fault"), [*MALFORMED, (without("Principal") | {"NotPrincipal": "*"}, "only a")])
def test_a_malformed_allow_allows_nothing_and_says_what_is_malformed(statement, fault):
    access = decide(statement)
    assert (access.allowed, access.denied) == (False, False)
    assert "statement 1 is malformed: " in access.reason
    assert fault in access.reason
    assert decide(statement, GOOD).allowed


@pytest.mark.parametrize(("statement", "fault"), MALFORMED)
def test_a_malformed_deny_denies(statement, fault):
    access = decide(GOOD, statement | {"Effect": "Deny", "Sid": "No"})
    assert access.denied
    assert access.reason.startswith("denied to be safe: No is malformed: ")
    assert fault in access.reason


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (None, "it is None, not an object"),
        ("Allow", "it is 'Allow', not an object"),
        ([1], "it is [1], not an object"),
        (without("Effect"), "its Effect is None, not Allow or Deny"),
        (GOOD | {"Effect": "deny"}, "its Effect is 'deny', not Allow or Deny"),
        (GOOD | {"Effect": ["Allow"]}, "its Effect is ['Allow'], not Allow or Deny"),
    ],
)
def test_a_statement_that_may_be_meant_as_a_deny_denies(statement, fault):
    access = decide(GOOD, statement)
    assert access.denied
    assert access.reason == f"denied to be safe: statement 2 is malformed: {fault}"


def test_the_policy_of_an_identity_names_no_principal():
    access = decide(GOOD, principal=None)
    assert "it has a Principal, which the policy of an identity must not have" in access.reason
    assert decide(without("Principal"), principal=None).allowed


@pytest.mark.parametrize("statements", [None, {}, GOOD, "Allow", 1])
def test_statements_that_are_no_list_deny(statements):
    access = evaluate(statements, action="s3:GetObject", resource="arn:aws:s3:::b/k")
    assert access.denied
    assert access.reason == "denied to be safe: the policy is malformed: its statements are not a list"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
operators = st.sampled_from(["Null", "Bool", "NumericEquals", "DateLessThan", "IpAddress", "ArnLike", "ForAnyValue:x"])
elements = st.sampled_from([*GOOD, "NotAction", "NotResource", "NotPrincipal", "Condition"])


@given(
    st.dictionaries(elements, anything, min_size=1),
    st.dictionaries(operators, st.dictionaries(st.sampled_from(["aws:SourceIp", "k"]), anything)),
)
def test_evaluation_never_raises(changes, condition):
    """And no condition both lets an Allow allow and keeps a Deny from denying."""
    decide(GOOD | changes)
    allow, deny = ({**GOOD, "Effect": effect, "Condition": condition} for effect in ("Allow", "Deny"))
    assert not (decide(allow).allowed and decide(GOOD, deny).allowed)
