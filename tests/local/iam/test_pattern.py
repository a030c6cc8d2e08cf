from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cpu_time import assert_linear
from workmail_local.iam.not_evaluated import NotEvaluatedError
from workmail_local.iam.pattern import matches, matches_arn


@given(st.text("ab*?\n", max_size=10), st.text("ab\n", max_size=10))
def test_wildcards_match_what_a_regular_expression_says(pattern, value):
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    assert matches(pattern, value, {}) is (re.fullmatch(expression, value, re.DOTALL) is not None)


@given(st.text("aBİß*?", max_size=8))
def test_a_text_always_matches_itself(text):
    for ignore_case in (False, True):
        assert matches(text, text, {}, ignore_case=ignore_case)
        assert matches("${k}", text, {"k": text}, ignore_case=ignore_case, wildcards=False)


@pytest.mark.parametrize(
    "hostile", ["*a" * 9, "*a" * 500, "*" * 1000, "?*" * 500 + "b", "*" + "a" * 500 + "b", "${" * 500, "${a" * 500]
)
@pytest.mark.parametrize("judge", [matches, matches_arn])
def test_a_hostile_pattern_costs_in_proportion_to_the_text(hostile, judge):
    pattern, quarter, whole = (f"arn:aws:s3:::{rest}" for rest in (hostile, "a" * 20_000 + "!", "a" * 80_000 + "!"))
    assert_linear(lambda: judge(pattern, quarter, {}), lambda: judge(pattern, whole, {}))


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("${Own}", True),
        ("${own:Tag/*}", True),
        ("${aws:username}", False),
        ("${aws:username, 'AROA:rule'}", True),
        ("${aws:username, ''}", False),
        ("AROA${$}{x}", False),
        # Whatever the value is, the text around it does not fit.
        ("x${aws:userid}", False),
    ],
)
def test_a_variable_stands_for_its_value_or_its_default(pattern, matched):
    assert matches(pattern, "AROA:rule", {"own": "AROA:rule", "own:tag/*": "AROA:rule", "aws:username": []}) is matched


@pytest.mark.parametrize("pattern", ["${aws:userid}", "${aws:userid, 'AROA:rule'}", "A${aws:userid}", "${aws:TagKeys}"])
def test_a_variable_whose_value_is_not_known_is_not_evaluated(pattern):
    with pytest.raises(NotEvaluatedError, match=r"was not evaluated: the value of aws:.* is not known here"):
        matches(pattern, "AROA:rule", {"aws:tagkeys": ["a", "b"]})


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*", True),
        ("arn:aws:lambda:*", True),
        ("arn:aws:lambda:us-east-1:1:function:*", True),
        ("arn:aws:lambda:us-east-1:1:function:rule", False),
        ("arn:aws:lambda:*:function:rule:live", False),
        ("arn:aws:lambda:us-east-1:${a:b, 'c:d'}:function:rule:live", False),
        ("arn:aws:lambda:us-east-1:1:${kind}:live", True),
    ],
)
def test_an_arn_matches_part_by_part(pattern, matched):
    context = {"kind": "function:rule"}
    assert matches_arn(pattern, "arn:aws:lambda:us-east-1:1:function:rule:live", context) is matched
