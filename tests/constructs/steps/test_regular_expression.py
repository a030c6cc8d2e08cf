"""Patterns that hostile text can keep busy are refused, and all others are taken."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_constructs.steps.regular_expression import checked_expression

EXPONENTIAL = r"grows exponentially with the text \(catastrophic backtracking\)"
CUBIC = "grows with the third power of the text or faster"


@pytest.mark.parametrize(
    "pattern",
    [
        "YES",
        r"(?i)^yes\b",
        "spf=(?:soft)?fail|dmarc=fail",
        r"score=(?:[5-9]|\d\d+)",
        r"(?:[a-z0-9-]+\.)+example\.com$",
        r"\d{4}(?:[- ]?\d{4}){3}",
        r"\b\d{13,19}\b",
        r"^\s*(\w+)\s*=\s*(\w+)\s*$",
        "spf=fail.*dkim=fail",
        "^.*spf=fail.*dkim=fail",
        "spf=fail[^;]*;[^;]*smtp",
        r"(?:\d{3})+",
        "a?a?a?b",
        "(?:word|other|wording)+",
        r"(?=[^;]*x)y(?!z)(?<=y)",
        "|".join(f"word{number}" for number in range(200)),
    ],
)
def test_a_pattern_that_takes_quadratic_time_at_most_is_taken(pattern: str) -> None:
    assert checked_expression(pattern, argument="pattern") == pattern


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(a+)+$", EXPONENTIAL),
        ("(a*)*b", EXPONENTIAL),
        (r"(?:\w+\s?)+$", EXPONENTIAL),
        (r"(?:\w|\d\d)+!", EXPONENTIAL),
        ("(?:ab|ab)*c", EXPONENTIAL),
        ("(?:a?b?)*c", EXPONENTIAL),
        ("(?:(?:a?)?b)*c", EXPONENTIAL),
        ("(?:ab|abab)+c", EXPONENTIAL),
        ("(?i)(?:ä|Ää)+b", EXPONENTIAL),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", EXPONENTIAL),
        ("(?:a{2,30}){3,}$", EXPONENTIAL),
        ("(?=(?:a+)+$)x", EXPONENTIAL),
        (r"x*\s+\s+$", CUBIC),
        ("foo.*bar.*baz", CUBIC),
        ("^.*.*.*x", CUBIC),
        (r"(a)\1", "refers to a group, whose time cannot be judged"),
        ("(a)?(?(1)b|c)", "refers to a group, whose time cannot be judged"),
        ("(?:" + "|".join(f"word{number}" for number in range(99)) + ")+", "repeats a group of more than 150"),
        ("(?:[a-z]{16}){16}" * 8, "has more than 2,000 characters"),
        ("[", "is no regular expression: unterminated character set"),
        ("(?<=a+)b", "is no regular expression: look-behind requires fixed-width"),
        ("", "give a regular expression"),
    ],
)
def test_a_pattern_that_may_take_longer_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^pattern: found .*{problem}"):
        checked_expression(pattern, argument="pattern")


def is_taken(pattern: str) -> bool:
    try:
        checked_expression(pattern, argument="pattern")
    except ValueError:
        return False
    return True


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", "[ab]", ".", "ab", ""]),
    lambda inner: st.one_of(
        st.builds("(?:{})*".format, inner),
        st.builds("(?:{})+?".format, inner),
        st.builds("(?:{}){{0,3}}".format, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds("(?={}){}".format, inner, inner),
    ),
    max_leaves=6,
)
TEXTS = [text * (160 // len(text)) + "!" for n in (1, 2, 3) for text in map("".join, itertools.product("ab", repeat=n))]


@given(PATTERNS)
def test_pythons_engine_is_quick_with_what_is_taken(inner: str) -> None:
    for pattern in (f"{inner}$", f"^{inner}c"):
        if is_taken(pattern):
            started = time.process_time()
            for text in TEXTS:
                re.search(pattern, text)
            assert time.process_time() - started < 0.5, pattern
