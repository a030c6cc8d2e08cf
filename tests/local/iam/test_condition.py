from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.iam.condition import condition_mismatch
from workmail_local.iam.not_evaluated import NotEvaluatedError

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
    assert (condition_mismatch(condition, KEYS) is None) is holds


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
    with pytest.raises(NotEvaluatedError, match="was not evaluated"):
        condition_mismatch(condition, KEYS)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"NumericEquals": {"aws:username": "1"}}, "Ann is not a number"),
        ({"NumericNotEquals": {"aws:MultiFactorAuthAge": "nan"}}, "nan is not a number"),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "1_000"}}, "1_000 is not a number"),
        ({"DateGreaterThan": {"aws:CurrentTime": "yesterday"}}, "is neither a date nor seconds since 1970"),
        ({"DateNotEquals": {"aws:CurrentTime": "9" * 12}}, "out of range"),
        ({"DateNotEquals": {"aws:CurrentTime": "1712010000000"}}, "is neither a date nor seconds since 1970"),
        ({"Bool": {"aws:SecureTransport": "yes"}}, "yes is neither true nor false"),
        ({"Null": {"aws:username": "absent"}}, "absent is neither true nor false"),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/99"}}, "10.0.0.0/99"),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:workmailmessageflow:*"}}, "is not a complete ARN"),
    ],
)
def test_a_value_that_cannot_be_compared_is_neither_true_nor_false(condition, reason):
    with pytest.raises(NotEvaluatedError, match=f"was not evaluated.*{reason}"):
        condition_mismatch(condition, KEYS)


def test_a_clear_no_counts_beside_what_was_not_evaluated():
    unknown, wrong = {"aws:RequestedRegion": "us-east-1"}, {"aws:username": "Bob"}
    for block in (unknown | wrong, wrong | unknown):
        assert condition_mismatch({"StringEquals": block}, KEYS) == (
            "its condition wants StringEquals aws:username Bob, but it is Ann"
        )


@given(st.text(), st.text())
def test_a_negated_operator_is_the_opposite_for_a_key_that_is_present(wanted, value):
    for positive, negated in (("StringEquals", "StringNotEquals"), ("StringLike", "StringNotLike")):
        holds = [condition_mismatch({name: {"k": wanted}}, {"k": value}) is None for name in (positive, negated)]
        assert holds[0] != holds[1]


@given(st.text(alphabet="ab*?$", max_size=8))
def test_a_variables_value_stands_for_itself(value):
    condition = {"StringLike": {"k": "${v}"}}
    assert condition_mismatch(condition, {"k": value, "v": value}) is None
    assert condition_mismatch(condition, {"k": value + "x", "v": value}) is not None
