"""What `judge_payload` makes of the bytes of a reply (R8): well formed or not, and never an error or a long wait."""

from __future__ import annotations

import json
from time import process_time
from typing import TYPE_CHECKING

import pytest

from tests.cpu_time import assert_linear
from workmail_flow.address import address_problem, domain_key
from workmail_flow.judge_payload import decode_payload, judge_payload
from workmail_flow.judge_reply import MAX_LISTED, Verdict
from workmail_flow.limits import MAX_REPLY_BYTES
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Callable

MARY = "mary@example.com"
DROP_ALL = b'{"actions": [{"action": {"type": "DROP"}, "allRecipients": true}]}'


def judge(payload: bytes) -> tuple[object, Verdict]:
    return judge_payload(payload, direction=FlowDirection.INBOUND, recipients=[MARY])


@pytest.mark.fact("R1", "R8")
def test_a_valid_reply_is_returned_with_its_verdict() -> None:
    reply, verdict = judge(DROP_ALL)
    assert reply == json.loads(DROP_ALL)
    assert [(decision.recipient, decision.action) for decision in verdict.decisions] == [(MARY, "DROP")]


@pytest.mark.fact("R5", "R6")
def test_the_rule_and_the_organization_count_as_in_judge_reply() -> None:
    payload = b'{"actions": [{"action": {"type": "DEFAULT"}, "recipients": ["ann@other.test"]}]}'
    _, verdict = judge_payload(
        payload, direction=FlowDirection.INBOUND, recipients=[MARY], organization_domains=["example.com"]
    )
    assert [error.code for error in verdict.errors] == ["added-outsider"]
    _, verdict = judge_payload(
        b'{"actions": []}', direction=FlowDirection.INBOUND, recipients=[MARY], fallback=RuleAction.BOUNCE
    )
    assert [decision.action for decision in verdict.decisions] == ["BOUNCE"]


@pytest.mark.fact("R8")
@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"", "Expecting value (character 0)"),
        (b"<html>", "Expecting value (character 0)"),
        (DROP_ALL + b"{}", f"Extra data (character {len(DROP_ALL)})"),
        (b"{'actions': []}", "Expecting property name enclosed in double quotes (character 1)"),
        (b'{"actions": [], "x": "\xff"}', "byte 22 is not UTF-8"),
        (json.dumps({"actions": []}).encode("utf-16"), "byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf" + DROP_ALL, "Unexpected UTF-8 BOM (decode using utf-8-sig) (character 0)"),
        (b'{"actions": [], "x": NaN}', "NaN is not a JSON value"),
        (b'{"actions": [], "x": [-Infinity]}', "-Infinity is not a JSON value"),
        (b'{"actions": [], "x": 1e999}', "a number is too large"),
        (b'{"actions": [], "x": -' + b"9" * 100_000 + b"}", "a number is too large"),
        (b'{"actions": [], "actions": []}', "an object has one name twice"),
        (b'{"actions": [], "x": "\\ud800"}', "a string holds a lone surrogate"),
        (b'{"actions": [], "x": [{"\\udc00": 1}]}', "a string holds a lone surrogate"),
        (b'{"actions": [], "x": ' + b"[" * 100 + b"]" * 100 + b"}", "nested more than 100 deep"),
        (b'{"actions": [], "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested more than 100 deep"),
        (b"[" * MAX_REPLY_BYTES, "nested more than 100 deep"),
    ],
)
def test_what_is_not_json_is_a_failed_invocation(payload: bytes, found: str) -> None:
    reply, verdict = judge(payload)
    assert reply is None
    assert verdict.decisions == ()
    (error,) = verdict.errors
    assert (error.code, error.path) == ("not-json", "$")
    assert error.message.startswith("the reply is not JSON: ")
    assert found in error.message


@pytest.mark.fact("R8")
@pytest.mark.parametrize(
    "unknown", [b"[" * 99 + b"1" + b"]" * 99, b"1e308", b"123456789012345678901234567890", b'"\\ud83d\\ude00"']
)
def test_unknown_fields_may_hold_any_other_json(unknown: bytes) -> None:
    reply, verdict = judge(b'{"actions": [], "x": ' + unknown + b"}")
    assert verdict.ok
    assert json.loads(json.dumps(reply, ensure_ascii=False).encode()) == reply


@pytest.mark.fact("R8")
def test_a_reply_of_256_kb_is_allowed_and_a_larger_one_is_not_even_decoded() -> None:
    assert judge(DROP_ALL.ljust(MAX_REPLY_BYTES))[1].ok
    reply, verdict = judge(DROP_ALL.ljust(MAX_REPLY_BYTES + 1))
    assert reply is None
    assert [error.message for error in verdict.errors] == [
        "the reply is 262,145 bytes; at most 262,144 are allowed (R8)"
    ]


def test_decoding_alone_shows_any_value() -> None:
    assert decode_payload(b'"sent"') == ("sent", None)
    assert decode_payload(b"null") == (None, None)
    assert decode_payload(b"{}") == ({}, None)


# What an attacker's reply may hold, grown to a number of bytes


def _list_of(item: str, size: int) -> str:
    return "[" + ",".join([item] * (size // (len(item.encode()) + 1))) + "]"


def _recipients(listed: str) -> bytes:
    return f'{{"actions": [{{"action": {{"type": "DROP"}}, "recipients": {listed}}}]}}'.encode()


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "combining marks in a domain": lambda size: _recipients('["a@x' + "\u0301\u0323" * (size // 4) + '"]'),
    "combining marks in many domains": lambda size: _recipients(_list_of('"a@' + "\u0301\u0323" * 150 + '"', size)),
    "long labels": lambda size: _recipients(_list_of('"a@' + "\u4e2d\u6587" * 30 + '.x"', size)),
    "no addresses": lambda size: _recipients(_list_of('""', size)),
    "empty actions": lambda size: f'{{"actions": {_list_of("{}", size)}}}'.encode(),
    "unknown fields": lambda size: json.dumps({"actions": [], **{f"{n:07}": 0 for n in range(size // 14)}}).encode(),
    "unknown actions": lambda size: (
        f'{{"actions": {_list_of(json.dumps({"action": {"type": "X"}, "recipients": ["a@b.c"]}), size)}}}'.encode()
    ),
    "conflicts": lambda size: (
        '{"actions": ['
        + ",".join(
            json.dumps({"action": {"type": ("DROP", "DEFAULT")[n % 2]}, "recipients": ["a@b.c"]})
            for n in range(size // 64)
        )
        + "]}"
    ).encode(),
    "different bounces": lambda size: (
        '{"actions": ['
        + ",".join(
            json.dumps({"action": {"type": "BOUNCE", "parameters": {"bounceMessage": str(n)}}, "allRecipients": False})
            for n in range(size // 105)
        )
        + "]}"
    ).encode(),
    "added recipients": lambda size: _recipients(json.dumps([f"{n:05}@b.c" for n in range(size // 13)])),
    "long digits": lambda size: b'{"actions": [], "x": 0.' + b"1" * size + b"}",
    "open brackets": lambda size: b"[" * size,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_takes_time_that_grows_with_its_size_only(name: str) -> None:
    quarter, whole = HOSTILE[name](60_000), HOSTILE[name](240_000)
    assert len(quarter) < len(whole) <= MAX_REPLY_BYTES
    assert_linear(lambda: judge(quarter), lambda: judge(whole))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_has_a_bounded_verdict(name: str) -> None:
    _, verdict = judge(HOSTILE[name](240_000))
    assert len(verdict.errors) <= MAX_LISTED + 1
    assert len(verdict.findings) <= MAX_LISTED + 1


def test_what_a_verdict_does_not_list_is_counted() -> None:
    _, verdict = judge(b'{"actions": [' + b",".join([b"1"] * (MAX_LISTED + 7)) + b"]}")
    assert [error.path for error in verdict.errors[:2]] == ["$.actions[0]", "$.actions[1]"]
    assert verdict.errors[-1].message == "7 more are not listed; fix these first"
    assert verdict.errors[-1].code == "not-listed"


def test_text_too_long_for_a_domain_is_its_own_key() -> None:
    text = "\u0301\u0323" * 100_000
    start = process_time()
    assert domain_key(text) == text
    assert process_time() - start < 1


@pytest.mark.parametrize(("domain", "problem"), [("x" * 318, None), ("x" * 319, "it has more than 320 characters")])
def test_an_address_has_320_characters_at_most(domain: str, problem: str | None) -> None:
    assert address_problem(f"a@{domain}") == problem
