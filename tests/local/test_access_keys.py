"""Access keys: the local WorkMail recognizes its own, and nobody else can make one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.access_keys import AccessKeys

KEYS = AccessKeys.random()
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:rule"


def test_a_key_is_the_same_throughout_a_run_and_another_in_the_next() -> None:
    again, other = AccessKeys(KEYS.secret), AccessKeys.random()
    assert (again.developer, again.of_function(FUNCTION)) == (KEYS.developer, KEYS.of_function(FUNCTION))
    assert len({KEYS.developer, KEYS.of_function(FUNCTION), other.developer, other.of_function(FUNCTION)}) == 4


@given(st.text())
def test_the_key_of_any_function_is_recognized_without_a_list(arn: str) -> None:
    assert KEYS.issued(KEYS.of_function(arn))


@given(st.from_regex(r"AKIA[A-Z2-7]{16}", fullmatch=True) | st.text())
def test_a_made_up_key_is_not(key_id: str) -> None:
    assert not KEYS.issued(key_id)


@pytest.mark.parametrize("position", range(20))
def test_a_key_with_one_other_character_is_not(position: int) -> None:
    key_id = KEYS.developer
    other = "A" if key_id[position] != "A" else "B"
    assert not KEYS.issued(key_id[:position] + other + key_id[position + 1 :])


def test_moto_finds_the_key_in_a_header() -> None:
    # Its access_key_regex takes 20 capitals and digits, no more and no fewer.
    assert KEYS.developer.isalnum()
    assert (len(KEYS.developer), KEYS.developer.upper()) == (20, KEYS.developer)


def test_the_secret_is_in_no_representation() -> None:
    assert KEYS.secret not in repr(KEYS)
