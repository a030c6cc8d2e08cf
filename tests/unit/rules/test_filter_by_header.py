"""`FilterByHeader`: which fields are searched, and what is decided."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.one_message import actions, one_message
from workmail_rules.filter_by_header import MAX_CHARACTERS, run
from workmail_rules.step_errors import StepError

JUNK = {"action": "MOVE_TO_JUNK"}
BYPASS = {"action": "BYPASS_SPAM_CHECK"}
DROP = {"action": "DROP"}


def decided(fields: bytes, pattern: str = "^YES$", header: str = "X-Spam", **changes: Any) -> set[str]:
    message = one_message(fields + b"From: carol@example.net\r\n\r\nHello\r\n")
    decisions = {"matched": JUNK, "otherwise": BYPASS, "missing": DROP, "authserv_id": None}
    run(message, header=header, pattern=pattern, **{**decisions, **changes})
    assert not message.has_edited
    return set(actions(message).values())


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        (b"X-Spam: YES\r\n", "MOVE_TO_JUNK"),
        (b"x-sPAM:YES\r\n", "MOVE_TO_JUNK"),
        (b"X-Spam: NO\r\nX-Spam: YES\r\n", "MOVE_TO_JUNK"),
        (b"X-Spam:\r\n YES\r\n", "MOVE_TO_JUNK"),
        (b"X-Spam: =?utf-8?q?Y?=\r\n =?utf-8?b?RVM=?=\r\n", "MOVE_TO_JUNK"),
        (b"X-Spam: NO\r\nX-Spam: MAYBE\r\n", "BYPASS_SPAM_CHECK"),
        (b"X-Spam:\r\n", "BYPASS_SPAM_CHECK"),
        (b"X-Spam-Not: YES\r\n", "DROP"),
        (b"", "DROP"),
    ],
)
def test_each_field_is_searched_decoded_and_unfolded(fields: bytes, action: str) -> None:
    assert decided(fields) == {action}


def test_the_pattern_is_found_anywhere_and_over_folds() -> None:
    assert decided(b"X-Spam: a=1;\r\n\tscore=12;\r\n b=2\r\n", r"a=1;\tscore=\d\d;") == {"MOVE_TO_JUNK"}


@pytest.mark.parametrize("outcome", ["matched", "otherwise", "missing"])
def test_no_decision_leaves_the_outcome_as_it_is(outcome: str) -> None:
    fields = {"matched": b"X-Spam: YES\r\n", "otherwise": b"X-Spam: NO\r\n", "missing": b""}[outcome]
    assert decided(fields, **{outcome: None}) == {"DEFAULT"}


def test_the_body_and_headers_of_parts_are_not_searched() -> None:
    assert decided(b"", "YES", "X-Spam") == {"DROP"}
    message = one_message(b"From: c@example.net\r\n\r\nX-Spam: YES\r\n")
    run(message, header="X-Spam", pattern="YES", matched=JUNK, otherwise=BYPASS, missing=DROP, authserv_id=None)
    assert set(actions(message).values()) == {"DROP"}


TRUSTED = b"Authentication-Results: mx.example.com 1; spf=fail\r\n"
FORGED = b"Authentication-Results: mx.example.com; spf=pass\r\n"
OTHER = b"Authentication-Results: mx.example.net; spf=pass\r\n"


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        (TRUSTED, "BYPASS_SPAM_CHECK"),
        (TRUSTED + FORGED, "BYPASS_SPAM_CHECK"),
        (OTHER + TRUSTED + FORGED, "BYPASS_SPAM_CHECK"),
        (OTHER, "DROP"),
        (b"Authentication-Results: (mx.example.com) evil.example; spf=pass\r\n", "DROP"),
        (b"Authentication-Results: evil.example; spf=pass; mx.example.com; spf=pass\r\n", "DROP"),
        (b"Authentication-Results: mx.example.com.evil.example; spf=pass\r\n", "DROP"),
        (b"Authentication-Results: ; spf=pass\r\n", "DROP"),
        (b'Authentication-Results:\r\n "MX.example.com" 1;\r\n spf=pass\r\n', "MOVE_TO_JUNK"),
    ],
)
def test_of_authentication_results_only_the_topmost_of_the_server_counts(fields: bytes, action: str) -> None:
    assert decided(fields, "spf=pass", "Authentication-Results", authserv_id="mx.Example.com") == {action}


def test_more_than_is_searched_is_a_failure_and_not_a_decision() -> None:
    line = b"X-Spam: " + b"a" * 900 + b"\r\n"
    fields = line * (MAX_CHARACTERS // 900)
    assert decided(fields) == {"BYPASS_SPAM_CHECK"}
    with pytest.raises(StepError, match="the header has more than 16,384 characters in 19 fields"):
        decided(fields + line)


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(fields: bytes) -> None:
    assert len(decided(fields.replace(b"\n", b"\r\n"))) == 1


def test_notes_tell_no_content() -> None:
    message = one_message(b"X-Spam: YES secret\r\nFrom: carol@example.net\r\n\r\n")
    run(message, header="X-Spam", pattern="YES", matched=JUNK, otherwise=BYPASS, missing=DROP, authserv_id=None)
    assert message.notes == ["header matches", "MOVE_TO_JUNK for 2 recipients"]


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30), min_size=1, max_size=20))
def test_what_another_library_reads_is_searched(words: list[str]) -> None:
    made = EmailMessage(policy=SMTP)
    made["X-Spam"] = " ".join(words)
    fields = bytes(made).partition(b"\r\n\r\n")[0] + b"\r\n"
    read = message_from_bytes(fields, policy=SMTP)["X-Spam"]
    assert decided(fields, f"^{re.escape(read)}$") == {"MOVE_TO_JUNK"}
