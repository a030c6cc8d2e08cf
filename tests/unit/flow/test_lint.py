"""Each finding of lint: when it is made, what it says, and when it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.lint import LintCode, LintFinding, Severity, lint
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import RULE_ACTIONS, FlowDirection

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def found(rule_set: RuleSet, code: LintCode) -> list[LintFinding]:
    return [finding for finding in lint(rule_set) if finding.code is code]


def one(rule_set: RuleSet, code: LintCode) -> LintFinding:
    (finding,) = found(rule_set, code)
    assert finding.remedy
    return finding


def test_a_sound_set_has_no_findings() -> None:
    assert lint(rules(entry("RUN_LAMBDA", function=ARN), entry("BYPASS_SPAM_CHECK", "partner.test"))) == ()
    assert lint(RuleSet()) == ()


@pytest.mark.fact("F9", "F10")
def test_a_rule_that_can_never_win() -> None:
    finding = one(rules(entry("DEFAULT", "X.test y.test"), entry("DROP", "x.test y.test")), LintCode.NEVER_DECIDES)
    assert (finding.severity, finding.rules) == (Severity.WARNING, ("DEFAULT", "DROP"))
    assert finding.witness
    assert finding.witness.sender == "someone@x.test"


@pytest.mark.fact("F9", "F10")
def test_several_rules_together_can_keep_one_from_ever_winning() -> None:
    rule_set = rules(
        entry("DEFAULT", "x.test y.test"), entry("DROP", "x.test"), entry("BOUNCE", "y.test"), entry("DROP", name="all")
    )
    assert one(rule_set, LintCode.NEVER_DECIDES).rules == ("DEFAULT", "DROP", "BOUNCE")


@pytest.mark.fact("F11")
def test_a_rule_inside_a_broader_one_can_win() -> None:
    assert found(rules(entry("DEFAULT", "x.test"), entry("DROP")), LintCode.NEVER_DECIDES) == []


@pytest.mark.parametrize(("action", "code"), [("DROP", LintCode.OVERLAPS_DROP), ("BOUNCE", LintCode.OVERLAPS_BOUNCE)])
def test_an_overlap_with_drop_or_bounce_has_a_pair_of_addresses_as_witness(action: str, code: LintCode) -> None:
    rule_set = rules(entry(action, "*.x.test", "own.test"), entry("MOVE_TO_JUNK", "*", "me@own.test"))
    finding = one(rule_set, code)
    assert (finding.severity, finding.rules) == (Severity.WARNING, (action, "MOVE_TO_JUNK"))
    witness = finding.witness
    assert witness
    decision = rule_set.decide(
        direction=witness.direction, sender=None, from_=witness.sender, recipient=witness.recipient
    )
    assert {decision.rule and decision.rule.name, *(lost.rule.name for lost in decision.lost)} == set(finding.rules)
    assert f"{witness.sender} to {witness.recipient}" in finding.message


def test_rules_that_share_no_address_do_not_overlap() -> None:
    for other in (
        entry("MOVE_TO_JUNK", "y.test"),
        entry("MOVE_TO_JUNK", "*.mail.x.test"),
        entry("DEFAULT", "*", "a.b"),
    ):
        assert found(rules(entry("DROP", "x.test", "c.d"), other), LintCode.OVERLAPS_DROP) == []
    outbound = entry("DEFAULT", "x.test", direction="outbound")
    assert found(rules(entry("DROP", "x.test"), outbound), LintCode.OVERLAPS_DROP) == []


@pytest.mark.fact("F11")
def test_an_exception_is_reported_as_one() -> None:
    finding = one(rules(entry("DROP", "*.x.test"), entry("DEFAULT", "good.x.test")), LintCode.OVERLAPS_DROP)
    assert finding.severity is Severity.INFO


@pytest.mark.fact("F1")
def test_a_name_given_twice() -> None:
    rule_set = rules(entry("DROP", "x.test", name="n"), entry("DROP", "y.test", name="n"))
    finding = one(rule_set, LintCode.DUPLICATE_NAME)
    assert (finding.severity, finding.rules) == (Severity.ERROR, ("n",))


@pytest.mark.fact("F1")
def test_rules_of_one_name_are_one_finding_that_says_what_to_do() -> None:
    same = entry("RUN_LAMBDA", name="Hello", synchronous=True, ruleTimeoutMinutes=0, readsContent=True, function="f")
    (named, first) = lint(rules(*[same] * 15))
    assert named.message == "15 rules have the name 'Hello'; a name is unique in an organization (F1)."
    assert named.remedy.startswith("Give each its own name, in an app with the argument name")
    assert first.code is LintCode.NO_RETRY


def _senders(count: int, start: int = 0) -> str:
    return " ".join(f"d{number}.test" for number in range(start, start + count))


@pytest.mark.fact("F6")
@pytest.mark.parametrize(("count", "expected"), [(199, False), (200, True), (250, True)])
def test_the_quota_of_a_rule_is_reported_when_it_is_near(count: int, expected: bool) -> None:
    assert bool(found(rules(entry("DROP", _senders(count))), LintCode.RULE_QUOTA)) is expected


@pytest.mark.fact("F6")
@pytest.mark.parametrize(
    ("count", "severities"),
    [(799, []), (800, [Severity.WARNING]), (1_000, [Severity.WARNING]), (1_001, [Severity.ERROR])],
)
def test_the_quota_of_an_organization_is_reported_when_it_is_near_or_past(
    count: int, severities: list[Severity]
) -> None:
    entries = [
        entry("DROP", _senders(min(100, count - start), start), name=str(start)) for start in range(0, count, 100)
    ]
    findings = found(rules(*entries), LintCode.ORGANIZATION_QUOTA)
    assert [finding.severity for finding in findings] == severities
    assert all(f"{count:,} of the 1,000 sender patterns" in finding.message for finding in findings)


@pytest.mark.fact("F6")
@pytest.mark.parametrize(("count", "severities"), [(799, []), (800, [Severity.WARNING]), (1_001, [Severity.ERROR])])
def test_the_quota_of_domains(count: int, severities: list[Severity]) -> None:
    findings = lint(RuleSet(), organization_domains=_senders(count).split())
    assert [finding.severity for finding in findings] == severities


@pytest.mark.fact("T3")
@pytest.mark.parametrize(
    ("minutes", "reads", "expected"), [(0, True, True), (0, False, False), (0, None, False), (5, True, False)]
)
def test_no_retry_where_content_is_read(minutes: int, reads: bool | None, expected: bool) -> None:
    rule_set = rules(
        entry("RUN_LAMBDA", function=ARN, synchronous=True, ruleTimeoutMinutes=minutes, readsContent=reads)
    )
    assert bool(found(rule_set, LintCode.NO_RETRY)) is expected


@pytest.mark.fact("F2")
@pytest.mark.parametrize(
    ("sender", "expected"), [("*", True), ("*.com", True), ("partner.test", False), ("*.partner.test", False)]
)
def test_a_broad_bypass_of_the_spam_check(sender: str, expected: bool) -> None:
    assert bool(found(rules(entry("BYPASS_SPAM_CHECK", sender)), LintCode.BROAD_BYPASS)) is expected


@pytest.mark.fact("F13", "L1", "L2")
@pytest.mark.parametrize(
    ("function", "codes"),
    [
        (ARN, []),
        (f"{ARN}:live", []),
        ("${Token[Rule.Arn.7]}", []),
        ("arn:${Token[AWS.Partition.1]}:lambda:eu-central-1:1:function:f", []),
        (None, [LintCode.FUNCTION_UNKNOWN]),
        ("arn:aws:lambda:eu-central-1:123456789012:function:f", [LintCode.FUNCTION_ARN]),
        ("arn:aws-cn:lambda:us-east-1:123456789012:function:f", [LintCode.FUNCTION_ARN]),
        ("arn:aws:sqs:us-east-1:123456789012:f", [LintCode.FUNCTION_ARN]),
    ],
)
def test_the_function(function: str | None, codes: list[LintCode]) -> None:
    assert [finding.code for finding in lint(rules(entry("RUN_LAMBDA", function=function)))] == codes


def test_a_pattern_given_twice() -> None:
    finding = one(rules(entry("DROP", "bücher.test x.test XN--BCHER-KVA.test")), LintCode.REPEATED_PATTERN)
    assert "'bücher.test'" in finding.message


@pytest.mark.fact("F9")
def test_crossing_rules_rest_on_an_assumption_until_a_third_settles_it() -> None:
    crossing = [entry("DROP", "x.test"), entry("DEFAULT", "*", "me@own.test")]
    finding = one(rules(*crossing), LintCode.UNSETTLED_PRECEDENCE)
    assert finding.rules == ("DROP", "DEFAULT")
    assert "no source says which counts more (F9)" in finding.message
    settled = rules(*crossing, entry("BOUNCE", "x.test", "me@own.test"))
    assert found(settled, LintCode.UNSETTLED_PRECEDENCE) == []


@pytest.mark.fact("F10")
def test_outbound_default_among_equals_rests_on_an_assumption() -> None:
    rule_set = rules(entry("DEFAULT", direction="outbound"), entry("DROP", direction="outbound"))
    assert "is open (F10)" in one(rule_set, LintCode.UNSETTLED_PRECEDENCE).message
    assert found(rules(entry("DEFAULT"), entry("DROP")), LintCode.UNSETTLED_PRECEDENCE) == []


@pytest.mark.fact("F10")
def test_two_equal_rules_of_different_effect_rest_on_an_assumption() -> None:
    rule_set = rules(
        entry("RUN_LAMBDA", "x.test y.test", name="one", function=ARN),
        entry("RUN_LAMBDA", "y.test z.test", name="two", function=f"{ARN}2"),
    )
    assert one(rule_set, LintCode.UNSETTLED_PRECEDENCE).rules == ("one", "two")


def test_a_finding_is_acknowledged_with_a_reason() -> None:
    drop = entry("DROP", "*.x.test", acknowledge={"overlaps-drop": "meant so"})
    finding = one(rules(drop, entry("MOVE_TO_JUNK")), LintCode.OVERLAPS_DROP)
    assert finding.acknowledged == "meant so"


def test_the_other_rules_can_acknowledge_an_overlap_only_all_together() -> None:
    junk = entry("MOVE_TO_JUNK", acknowledge={"overlaps-drop": "mine"})
    other = entry("BYPASS_SPAM_CHECK", "a@x.test")
    assert one(rules(entry("DROP", "*.x.test"), junk), LintCode.OVERLAPS_DROP).acknowledged == "mine"
    assert one(rules(entry("DROP", "*.x.test"), junk, other), LintCode.OVERLAPS_DROP).acknowledged is None


@pytest.mark.parametrize("code", ["overlaps-drop", "no-such-code", "duplicate-name"])
def test_an_acknowledgement_of_nothing_is_told(code: str) -> None:
    assert one(rules(entry("DROP", acknowledge={code: "why"})), LintCode.UNUSED_ACKNOWLEDGEMENT)


def test_the_gravest_comes_first_and_every_witness_is_of_its_direction() -> None:
    findings = lint(
        rules(
            entry("DROP", "*.x.test"),
            entry("DEFAULT", "a.x.test"),
            entry("BYPASS_SPAM_CHECK"),
            entry("BOUNCE", name="DROP"),
        )
    )
    severities = [list(Severity).index(finding.severity) for finding in findings]
    assert severities == sorted(severities)
    assert {finding.witness.direction for finding in findings if finding.witness} == {FlowDirection.INBOUND}


def test_one_finding_names_ten_rules_and_counts_the_rest() -> None:
    others = [entry("MOVE_TO_JUNK", f"d{number}.test", name=f"n{number}") for number in range(12)]
    finding = one(rules(entry("DROP"), *others), LintCode.OVERLAPS_DROP)
    assert len(finding.rules) == 13
    assert "and 2 more match too" in finding.message


def test_the_docs_list_every_code() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/rules.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \| (?:error|warning|info)", page, re.MULTILINE)) == set(LintCode)


def test_every_action_can_be_linted() -> None:
    for direction, actions in RULE_ACTIONS.items():
        for action in actions:
            lint(rules(entry(action.value, direction=direction.value)))
