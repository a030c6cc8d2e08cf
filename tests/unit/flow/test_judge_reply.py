"""What `judge_reply` makes of a reply, sentence by sentence of R1-R12."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from workmail_flow.judge_reply import Decision, Finding, Verdict, judge_reply
from workmail_flow.limits import MAX_OUTBOUND_REPLY_RECIPIENTS, MAX_REPLY_BYTES
from workmail_flow.vocabulary import REPLY_ACTIONS, FlowDirection, ReplyAction, RuleAction

if TYPE_CHECKING:
    from collections.abc import Sequence

INBOUND, OUTBOUND = FlowDirection.INBOUND, FlowDirection.OUTBOUND
MARY, JOHN, ANN = "mary@example.com", "john@example.com", "ann@example.com"


def entry(kind: str, *recipients: str, **more: Any) -> dict[str, Any]:
    """One entry of a reply's `actions`."""
    action: dict[str, Any] = {"type": kind}
    if "parameters" in more:
        action["parameters"] = more.pop("parameters")
    return {"action": action, **({"recipients": list(recipients)} if recipients else {}), **more}


def judge(
    *entries: object, to: Sequence[str] = (MARY, JOHN), direction: FlowDirection = INBOUND, **more: Any
) -> Verdict:
    """Judge a reply of these entries, after a trip through JSON as the service makes it."""
    return judge_reply(json.loads(json.dumps({"actions": entries})), direction=direction, recipients=to, **more)


def outcome(verdict: Verdict) -> dict[str, str]:
    assert verdict.ok, verdict.errors
    return {decision.recipient: decision.action for decision in verdict.decisions}


def codes(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in findings]


@pytest.mark.fact("R1", "R8")
@pytest.mark.parametrize(
    ("reply", "code", "path"),
    [
        (None, "not-an-object", "$"),
        ([], "not-an-object", "$"),
        ("actions", "not-an-object", "$"),
        (True, "not-an-object", "$"),
        (3, "not-an-object", "$"),
        ({}, "no-actions", "$.actions"),
        ({"actions": None}, "no-actions", "$.actions"),
        ({"actions": {}}, "no-actions", "$.actions"),
        ({"actions": "DROP"}, "no-actions", "$.actions"),
        ({"actions": [None]}, "wrong-type", "$.actions[0]"),
        ({"actions": ["DROP"]}, "wrong-type", "$.actions[0]"),
        ({"actions": [{}]}, "wrong-type", "$.actions[0].action"),
        ({"actions": [{"action": "DROP"}]}, "wrong-type", "$.actions[0].action"),
        ({"actions": [{"action": {}}]}, "wrong-type", "$.actions[0].action.type"),
        ({"actions": [{"action": {"type": None}}]}, "wrong-type", "$.actions[0].action.type"),
        ({"actions": [{"action": {"type": "drop"}}]}, "unknown-action", "$.actions[0].action.type"),
        ({"actions": [{"action": {"type": "RUN_LAMBDA"}}]}, "unknown-action", "$.actions[0].action.type"),
        ({"actions": [{"action": {"type": "DROP"}, "recipients": MARY}]}, "wrong-type", "$.actions[0].recipients"),
        ({"actions": [{"action": {"type": "DROP"}, "recipients": [1]}]}, "wrong-type", "$.actions[0].recipients[0]"),
        ({"actions": [{"action": {"type": "DROP"}, "allRecipients": 1}]}, "wrong-type", "$.actions[0].allRecipients"),
        (
            {"actions": [{"action": {"type": "DROP"}, "allRecipients": "yes"}]},
            "wrong-type",
            "$.actions[0].allRecipients",
        ),
    ],
)
def test_a_malformed_reply_is_a_failed_invocation(reply: object, code: str, path: str) -> None:
    verdict = judge_reply(reply, direction=INBOUND, recipients=[MARY])
    assert not verdict.ok
    assert verdict.decisions == ()
    assert codes(verdict.errors) == [(code, path)]


@pytest.mark.fact("R8")
def test_every_fault_of_a_reply_is_reported_at_once() -> None:
    verdict = judge({"action": {"type": "LOSE"}, "recipients": [7], "allRecipients": 0}, entry("DROP", "nobody"))
    assert codes(verdict.errors) == [
        ("wrong-type", "$.actions[0].recipients[0]"),
        ("wrong-type", "$.actions[0].allRecipients"),
        ("unknown-action", "$.actions[0].action.type"),
        ("not-an-address", "$.actions[1].recipients[0]"),
    ]


@pytest.mark.fact("R8")
@pytest.mark.parametrize("size", [None, MAX_REPLY_BYTES])
def test_a_reply_of_256_kb_is_allowed(size: int | None) -> None:
    assert judge(entry("DEFAULT", allRecipients=True), size=size).ok


@pytest.mark.fact("R8")
def test_a_reply_past_256_kb_is_a_failed_invocation() -> None:
    assert judge(entry("DEFAULT", allRecipients=True), size=MAX_REPLY_BYTES + 1).errors == (
        Finding("reply-too-large", "$", "the reply is 262,145 bytes; at most 262,144 are allowed (R8)"),
    )


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "mary",
        "@example.com",
        "mary@",
        "ma ry@example.com",
        "Mary <mary@example.com>",
        "a@b.c, d@e.f",
        "a@b\r\n.c",
        "a@b..c",
    ],
)
@pytest.mark.fact("R1")
def test_a_recipient_must_be_an_address(recipient: str) -> None:
    verdict = judge(entry("DEFAULT", MARY, recipient))
    assert codes(verdict.errors) == [("not-an-address", "$.actions[0].recipients[1]")]
    assert "mailbox@example.com" in verdict.errors[0].message


@pytest.mark.fact("R2")
@pytest.mark.parametrize(
    ("direction", "kind"), [(direction, kind) for direction in FlowDirection for kind in REPLY_ACTIONS[direction]]
)
def test_the_types_of_each_direction(direction: FlowDirection, kind: ReplyAction) -> None:
    verdict = judge(entry(kind, allRecipients=True), direction=direction)
    assert outcome(verdict) == {MARY: kind, JOHN: kind}


@pytest.mark.fact("R2", "R11")
@pytest.mark.parametrize("kind", [ReplyAction.MOVE_TO_JUNK, ReplyAction.BYPASS_SPAM_CHECK])
def test_the_spam_actions_are_inbound_only(kind: ReplyAction) -> None:
    verdict = judge(entry(kind, allRecipients=True), direction=OUTBOUND)
    assert codes(verdict.errors) == [("action-not-in-direction", "$.actions[0].action.type")]
    assert "allowed are BOUNCE, DROP, DEFAULT" in verdict.errors[0].message


@pytest.mark.fact("R3")
def test_a_bounce_carries_its_message() -> None:
    verdict = judge(entry("BOUNCE", MARY, parameters={"bounceMessage": "no"}), entry("BOUNCE", JOHN))
    assert [(decision.recipient, decision.bounce_message) for decision in verdict.decisions] == [
        (MARY, "no"),
        (JOHN, None),
    ]


@pytest.mark.fact("R3")
@pytest.mark.parametrize("parameters", [None, {}, {"bounceMessage": None}])
def test_absent_parameters_are_no_fault(parameters: object) -> None:
    verdict = judge(entry("BOUNCE", parameters=parameters, allRecipients=True))
    assert outcome(verdict) == {MARY: "BOUNCE", JOHN: "BOUNCE"}
    assert verdict.findings == ()


@pytest.mark.fact("R3")
def test_parameters_of_another_action_do_nothing_and_are_reported() -> None:
    verdict = judge(entry("DROP", parameters={"bounceMessage": "no"}, allRecipients=True))
    assert outcome(verdict) == {MARY: "DROP", JOHN: "DROP"}
    assert codes(verdict.findings) == [("parameters-ignored", "$.actions[0].action.parameters")]


@pytest.mark.fact("R3", "R8")
@pytest.mark.parametrize(
    ("parameters", "path"),
    [("no", "$.actions[0].action.parameters"), ({"bounceMessage": 5}, "$.actions[0].action.parameters.bounceMessage")],
)
def test_parameters_of_the_wrong_type_are_malformed(parameters: object, path: str) -> None:
    assert codes(judge(entry("BOUNCE", MARY, parameters=parameters)).errors) == [("wrong-type", path)]


@pytest.mark.fact("R4")
def test_all_recipients_means_those_that_no_other_action_names() -> None:
    verdict = judge(entry("DROP", allRecipients=True), entry("DEFAULT", JOHN))
    assert outcome(verdict) == {MARY: "DROP", JOHN: "DEFAULT"}
    assert [decision.reason for decision in verdict.decisions] == [
        "$.actions[0] takes all recipients that no other action names (R4)",
        "$.actions[1] names the recipient (R1)",
    ]


@pytest.mark.fact("R4", "R6")
def test_named_recipients_beside_all_recipients_are_included_as_well() -> None:
    verdict = judge(entry("DEFAULT", ANN, allRecipients=True))
    assert outcome(verdict) == {MARY: "DEFAULT", JOHN: "DEFAULT", ANN: "DEFAULT"}


@pytest.mark.fact("R4")
@pytest.mark.parametrize("recipients", [[], None])
def test_recipients_are_not_needed_beside_all_recipients(recipients: object) -> None:
    verdict = judge(entry("DROP", allRecipients=True, recipients=recipients))
    assert outcome(verdict) == {MARY: "DROP", JOHN: "DROP"}
    assert verdict.findings == ()


@pytest.mark.fact("R5")
@pytest.mark.parametrize(
    "entries", [[], [entry("DROP")], [entry("DROP", allRecipients=False)], [entry("DROP", allRecipients=None)]]
)
def test_recipients_that_no_action_covers_get_the_fallback(entries: list[Any]) -> None:
    verdict = judge(*entries, fallback=RuleAction.MOVE_TO_JUNK)
    assert outcome(verdict) == {MARY: "MOVE_TO_JUNK", JOHN: "MOVE_TO_JUNK"}
    assert codes(verdict.findings) == [("names-nobody", "$.actions[0]")] * len(entries)


@pytest.mark.fact("R5")
def test_the_fallback_reaches_only_the_uncovered() -> None:
    verdict = judge(entry("DROP", MARY), fallback=RuleAction.BOUNCE)
    assert outcome(verdict) == {MARY: "DROP", JOHN: "BOUNCE"}


@pytest.mark.fact("R6")
def test_an_added_recipient_is_marked_as_bcc() -> None:
    verdict = judge(entry("DEFAULT", "archive@elsewhere.org"), to=[MARY], direction=OUTBOUND)
    assert verdict.decisions == (
        Decision(MARY, RuleAction.DEFAULT, None, "no action covers the recipient: fallback action (R5)", False),
        Decision(
            "archive@elsewhere.org", ReplyAction.DEFAULT, None, "$.actions[0] adds the recipient, as Bcc (R6)", True
        ),
    )


@pytest.mark.fact("R6")
def test_another_spelling_of_a_recipient_is_not_an_added_one() -> None:
    verdict = judge(
        entry("DROP", "MARY@EXAMPLE.COM"), entry("DROP", "jörg@BÜCHER.example"), to=[MARY, "jörg@xn--bcher-kva.example"]
    )
    assert outcome(verdict) == {MARY: "DROP", "jörg@xn--bcher-kva.example": "DROP"}


@pytest.mark.fact("R6")
def test_inbound_only_addresses_of_the_organization_may_be_added() -> None:
    own = {"organization_domains": ["Example.com", "example.org"]}
    assert outcome(judge(entry("DEFAULT", "a@EXAMPLE.ORG"), to=[MARY], **own)) == {
        MARY: "DEFAULT",
        "a@EXAMPLE.ORG": "DEFAULT",
    }
    verdict = judge(entry("DEFAULT", "a@outside.test"), to=[MARY], **own)
    assert codes(verdict.errors) == [("added-outsider", "$.actions[0].recipients")]
    assert "a@outside" not in verdict.errors[0].message


@pytest.mark.fact("R6")
def test_an_addition_that_cannot_be_checked_is_reported() -> None:
    verdict = judge(entry("DEFAULT", ANN, "a@sub.example.com"))
    assert verdict.ok
    assert codes(verdict.findings) == [("organization-unknown", "$.actions[0].recipients")]


@pytest.mark.fact("R6")
@pytest.mark.parametrize("kind", ["DROP", "BOUNCE"])
def test_adding_a_recipient_who_then_gets_nothing_is_reported(kind: str) -> None:
    verdict = judge(entry(kind, ANN))
    assert outcome(verdict)[ANN] == kind
    assert codes(verdict.findings) == [("added-undelivered", "$.actions[0].recipients")]


def bounces(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    return [
        entry("BOUNCE", f"user{number}@example.com", parameters={"bounceMessage": f"no {number}"})
        for number in range(first, first + count)
    ]


@pytest.mark.fact("R7")
def test_actions_past_the_tenth_become_the_fallback() -> None:
    to = [f"user{number}@example.com" for number in range(12)]
    verdict = judge(*bounces(12), to=to, fallback=RuleAction.DEFAULT)
    assert [decision.action for decision in verdict.decisions] == ["BOUNCE"] * 10 + ["DEFAULT"] * 2
    assert verdict.decisions[-1].bounce_message is None
    assert "past the tenth" in verdict.decisions[-1].reason
    assert codes(verdict.findings) == [("past-the-tenth", "$.actions[10]")]


@pytest.mark.fact("R7")
def test_ten_unique_actions_are_allowed_however_often_repeated() -> None:
    to = [f"user{number}@example.com" for number in range(40)]
    repeated = [entry("DROP", address) for address in to[9:]]
    verdict = judge(*bounces(9), *repeated, to=to)
    assert [decision.action for decision in verdict.decisions] == ["BOUNCE"] * 9 + ["DROP"] * 31
    assert verdict.findings == ()


@pytest.mark.fact("R7", "R4")
def test_all_recipients_past_the_tenth_becomes_the_fallback_too() -> None:
    to = [*(f"user{number}@example.com" for number in range(10)), MARY]
    verdict = judge(*bounces(10), entry("DROP", allRecipients=True), to=to, fallback=RuleAction.MOVE_TO_JUNK)
    assert outcome(verdict)[MARY] == "MOVE_TO_JUNK"


@pytest.mark.fact("R9")
def test_outbound_at_most_500_recipients() -> None:
    others = [f"u{number}@example.net" for number in range(MAX_OUTBOUND_REPLY_RECIPIENTS)]
    assert judge(entry("DEFAULT", *others[1:]), to=[MARY], direction=OUTBOUND).ok
    verdict = judge(entry("DEFAULT", *others), to=[MARY], direction=OUTBOUND)
    assert codes(verdict.errors) == [("too-many-recipients", "$.actions")]
    assert "501 recipients; an outbound reply may have 500" in verdict.errors[0].message


@pytest.mark.fact("R11")
def test_one_address_under_two_different_actions_is_malformed() -> None:
    verdict = judge(entry("DROP", MARY), entry("DEFAULT", JOHN, "Mary@Example.com"))
    assert codes(verdict.errors) == [("conflicting-actions", "$.actions[1].recipients[1]")]
    assert "$.actions[0] names this address too" in verdict.errors[0].message


@pytest.mark.fact("R11")
def test_two_different_actions_for_all_recipients_are_malformed() -> None:
    verdict = judge(entry("DROP", allRecipients=True), entry("DEFAULT", allRecipients=True))
    assert codes(verdict.errors) == [("conflicting-actions", "$.actions[1].allRecipients")]


@pytest.mark.fact("R11")
def test_one_address_named_twice_by_equal_actions_is_no_conflict() -> None:
    verdict = judge(entry("DROP", MARY, MARY), entry("DROP", MARY), entry("DROP", allRecipients=True))
    assert outcome(verdict) == {MARY: "DROP", JOHN: "DROP"}


@pytest.mark.fact("R12")
@pytest.mark.parametrize(
    ("value", "expected", "found"),
    [
        (True, "DROP", []),
        ("true", "DROP", ["string-boolean"]),
        ("True", "DROP", ["string-boolean"]),
        ("false", "DEFAULT", ["string-boolean"]),
    ],
)
def test_a_boolean_and_its_string_are_both_understood(value: object, expected: str, found: list[str]) -> None:
    verdict = judge(entry("DROP", ANN, allRecipients=value))
    assert outcome(verdict)[MARY] == expected
    assert [finding.code for finding in verdict.findings if finding.code == "string-boolean"] == found


@pytest.mark.fact("R1")
def test_unknown_fields_are_reported_and_never_fail() -> None:
    reply = {
        "actions": [{"action": {"type": "DROP", "x": 1}, "allrecipients": True, "allRecipients": True}],
        "mary@example.com": 1,
    }
    verdict = judge_reply(reply, direction=INBOUND, recipients=[MARY])
    assert outcome(verdict) == {MARY: "DROP"}
    assert codes(verdict.findings) == [
        ("unknown-field", "$"),
        ("unknown-field", "$.actions[0]"),
        ("unknown-field", "$.actions[0].action"),
    ]
    assert "'allrecipients' is not a field" in verdict.findings[1].message
    assert "mary@" not in verdict.findings[0].message


def test_a_recipient_listed_twice_is_decided_once() -> None:
    assert len(judge(to=[MARY, "Mary@example.com"]).decisions) == 1
