from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.iam.condition import evaluate_condition

KEYS = {
    "aws:sourcearn": "arn:aws:workmailmessageflow:us-east-1:123456789012:message/m-1/incoming/9",
    "aws:sourceaccount": "123456789012",
    "aws:securetransport": "true",
    "aws:sourceip": "10.1.2.3",
    "aws:currenttime": "2026-11-21T04:00:00Z",
    "aws:multifactorauthage": "300",
    "aws:username": "Ann",
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:username": "Ann"}}, True),
        ({"StringEquals": {"AWS:UserName": ["Bob", "Ann"]}}, True),
        ({"StringEquals": {"aws:username": "ann"}}, False),
        ({"StringEquals": {"aws:username": "A*"}}, False),
        ({"StringEquals": {"aws:username": "${aws:UserName}"}}, True),
        ({"StringEqualsIgnoreCase": {"aws:username": "aNN"}}, True),
        ({"StringNotEquals": {"aws:username": ["Bob", "Cy"]}}, True),
        ({"StringNotEquals": {"aws:username": ["Bob", "Ann"]}}, False),
        ({"StringNotEqualsIgnoreCase": {"aws:username": "ANN"}}, False),
        ({"StringLike": {"aws:username": "A?n"}}, True),
        ({"StringLike": {"aws:username": "*b*"}}, False),
        ({"StringNotLike": {"aws:username": "B*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:workmailmessageflow:us-east-1:123456789012:message/m-1/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*:message/m-1/*"}}, False),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:workmailmessageflow:*:123456789012:message/m-1/*"}}, True),
        ({"ArnNotLike": {"aws:SourceArn": "arn:aws:workmailmessageflow:*:*:message/m-2/*"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Null": {"aws:username": "false", "aws:PrincipalOrgID": "true"}}, True),
        ({"Null": {"aws:username": "true"}}, False),
        ({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "10.0.0.0/8"]}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}, False),
        ({"NumericLessThanEquals": {"aws:MultiFactorAuthAge": 300}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "1700000000"}}, False),
        # An absent key: no positive operator holds for it, every negated one does, and IfExists asks nothing.
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"StringEqualsIfExists": {"aws:username": "Bob"}}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, True),
        ({"ForAnyValue:StringLike": {"aws:username": ["A*"]}}, True),
        # All operators and all keys must hold.
        ({"StringEquals": {"aws:username": "Ann", "aws:SourceAccount": "1"}}, False),
        ({"StringEquals": {"aws:username": "Ann"}, "Bool": {"aws:SecureTransport": "false"}}, False),
        ({}, True),
    ],
)
def test_operators(condition, holds):
    result = evaluate_condition(condition, KEYS)
    assert result.holds is holds
    assert result.evaluated


@pytest.mark.parametrize(
    "condition",
    [
        {"BinaryEquals": {"aws:username": "QW5u"}},
        {"ForSomeValues:StringEquals": {"aws:username": "Ann"}},
        {"StringMatches": {"aws:username": "Ann"}},
        # AWS would have a value for this key, the local run has none.
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
    ],
)
def test_what_is_not_known_is_neither_true_nor_false(condition):
    result = evaluate_condition(condition, KEYS)
    assert not result.holds
    assert not result.evaluated
    assert "was not evaluated" in result.reason


def test_a_value_that_cannot_be_compared_does_not_hold():
    result = evaluate_condition({"NumericEquals": {"aws:username": "1"}}, KEYS)
    assert not result.holds
    assert "could not convert string to float" in result.reason


@given(st.text(), st.text())
def test_a_negated_operator_is_the_opposite_for_a_key_that_is_present(wanted, value):
    for positive, negated in (("StringEquals", "StringNotEquals"), ("StringLike", "StringNotLike")):
        holds = [evaluate_condition({name: {"k": wanted}}, {"k": value}).holds for name in (positive, negated)]
        assert holds[0] != holds[1]


@given(st.text(alphabet="ab*?$", max_size=8))
def test_a_variables_value_stands_for_itself(value):
    assert evaluate_condition({"StringLike": {"k": "${v}"}}, {"k": value, "v": value}).holds
    assert not evaluate_condition({"StringLike": {"k": "${v}"}}, {"k": value + "x", "v": value}).holds
