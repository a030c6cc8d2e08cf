"""Rules and who decides, sentence by sentence of F1-F14."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.flow_rule import FlowRule
from workmail_flow.rule_problems import RuleError
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import RULE_ACTIONS, FlowDirection, RuleAction

IN, OUT = FlowDirection.INBOUND, FlowDirection.OUTBOUND
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
SYNCHRONOUS = {"function": ARN, "synchronous": True, "fallback": "DEFAULT", "ruleTimeoutMinutes": 30}


def problems(*entries: Any) -> list[tuple[str, str]]:
    with pytest.raises(RuleError) as caught:
        RuleSet.from_json({"rules": list(entries)})
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return [(problem.fault.value, problem.path) for problem in caught.value.problems]


def ask(
    rule_set: RuleSet, from_: str, to: str = "me@own.test", sender: str | None = None, direction: FlowDirection = IN
) -> str | None:
    decision = rule_set.decide(direction=direction, sender=sender, from_=from_, recipient=to)
    return decision.rule and decision.rule.name


@pytest.mark.fact("F1")
@pytest.mark.parametrize("key", ["name", "direction", "action", "senders", "destinations"])
def test_what_every_rule_has(key: str) -> None:
    assert problems({name: value for name, value in entry("DROP").items() if name != key})[0] == (
        "bad-entry",
        f"$.rules[0].{key}",
    )


@pytest.mark.fact("F2", "F3")
@pytest.mark.parametrize(
    ("direction", "action"), [(direction, action) for direction in FlowDirection for action in RULE_ACTIONS[direction]]
)
def test_the_actions_of_each_direction(direction: FlowDirection, action: RuleAction) -> None:
    assert rules(entry(action.value, direction=direction.value)).rules[0].action is action


@pytest.mark.fact("F2", "F3")
@pytest.mark.parametrize(
    ("direction", "action"),
    [
        (direction, action)
        for direction in FlowDirection
        for action in RuleAction
        if action not in RULE_ACTIONS[direction]
    ],
)
def test_the_actions_that_a_direction_does_not_have(direction: FlowDirection, action: RuleAction) -> None:
    written = entry(action.value, direction=direction.value)
    assert problems(written) == [("action-not-in-direction", "$.rules[0].action")]


@pytest.mark.fact("F2", "F3")
def test_the_documented_orders() -> None:
    assert [action.value for action in RULE_ACTIONS[IN]] == (
        ["DROP", "BOUNCE", "MOVE_TO_JUNK", "DEFAULT", "BYPASS_SPAM_CHECK", "RUN_LAMBDA"]
    )
    assert [action.value for action in RULE_ACTIONS[OUT]] == (
        ["DEFAULT", "DROP", "BOUNCE", "ROUTE_TO_SMTP_GATEWAY", "RUN_LAMBDA"]
    )


@pytest.mark.fact("F6")
def test_250_sender_patterns_are_allowed_and_251_are_not() -> None:
    many = " ".join(f"d{number}.test" for number in range(251))
    assert len(rules(entry("DROP", many.rpartition(" ")[0])).rules[0].senders) == 250
    assert problems(entry("DROP", many)) == [("too-many-senders", "$.rules[0].senders")]


@pytest.mark.fact("F7")
def test_inbound_the_sender_header_is_looked_at_first() -> None:
    rule_set = rules(entry("DROP", "from.test"), entry("DEFAULT", "sender.test"))
    assert ask(rule_set, "a@from.test", sender="a@sender.test") == "DEFAULT"


@pytest.mark.fact("F7")
def test_inbound_from_is_used_without_sender_or_where_no_rule_matches_it() -> None:
    rule_set = rules(entry("DROP", "from.test"))
    assert ask(rule_set, "a@from.test") == "DROP"
    assert ask(rule_set, "a@from.test", sender="a@else.test") == "DROP"
    decision = rule_set.decide(direction=IN, sender="a@else.test", from_="a@from.test", recipient="me@own.test")
    assert "matches the From address, which counts since no rule matches the Sender (F7)" in decision.reason


@pytest.mark.fact("F7")
def test_a_rule_for_the_sender_alone_may_hide_one_for_from() -> None:
    rule_set = rules(entry("DROP", "mary@from.test"), entry("DEFAULT", "*"))
    decision = rule_set.decide(direction=IN, sender="a@else.test", from_="mary@from.test", recipient="me@own.test")
    assert decision.rule
    assert decision.rule.name == "DEFAULT"
    assert [(lost.rule.name, lost.reason) for lost in decision.lost] == [
        ("DROP", "it matches the From address only, which does not count once a rule matches the Sender (F7)")
    ]


@pytest.mark.fact("F7")
@pytest.mark.parametrize(("sender", "from_"), [("a@x.test", "b@y.test"), ("b@y.test", "a@x.test"), (None, "a@x.test")])
def test_outbound_either_header_and_the_recipient_must_match(sender: str | None, from_: str) -> None:
    rule_set = rules(entry("DROP", "x.test", "to.test", direction="outbound"))
    assert ask(rule_set, from_, "c@to.test", sender, OUT) == "DROP"
    assert ask(rule_set, from_, "c@else.test", sender, OUT) is None


@pytest.mark.fact("F8")
def test_each_recipient_gets_its_own_rule() -> None:
    rule_set = rules(entry("DROP", "*", "a@own.test"), entry("BOUNCE", "*", "b@own.test"))
    assert [ask(rule_set, "x@y.test", f"{box}@own.test") for box in "abc"] == ["DROP", "BOUNCE", None]


@pytest.mark.fact("F9")
def test_the_most_specific_rule_wins_whatever_its_action() -> None:
    ladder = ["*", "*.test", "*.mail.test", "mail.test", "a@mail.test"]
    for narrow in range(1, len(ladder)):
        rule_set = rules(entry("DROP", ladder[narrow - 1]), entry("RUN_LAMBDA", ladder[narrow], function=ARN))
        decision = rule_set.decide(direction=IN, sender=None, from_="a@mail.test", recipient="me@own.test")
        assert decision.action is RuleAction.RUN_LAMBDA
        assert "of 2 rules that match it is the most specific (F9)" in decision.reason
        assert f"{ladder[narrow - 1]} (" in decision.lost[0].reason
        assert "is less specific than" in decision.lost[0].reason


@pytest.mark.fact("F9")
def test_the_sender_pattern_counts_before_the_destination_pattern() -> None:
    rule_set = rules(entry("DROP", "x.test", "*"), entry("DEFAULT", "*", "me@own.test"))
    assert ask(rule_set, "a@x.test") == "DROP"
    three = rules(*(rule.to_json() for rule in reversed(rule_set.rules)), entry("BOUNCE", "a@x.test"))
    decision = three.decide(direction=IN, sender=None, from_="a@x.test", recipient="me@own.test")
    assert [decision.action, *(lost.rule.action for lost in decision.lost)] == ["BOUNCE", "DROP", "DEFAULT"]


@pytest.mark.fact("F9")
def test_the_destination_pattern_decides_between_equal_sender_patterns() -> None:
    rule_set = rules(entry("DROP", "x.test", "*"), entry("DEFAULT", "x.test", "own.test"))
    decision = rule_set.decide(direction=IN, sender=None, from_="a@x.test", recipient="me@own.test")
    assert decision.action is RuleAction.DEFAULT
    assert decision.lost[0].reason == "its destination pattern * (any) is less specific than own.test (domain) (F9)"


@pytest.mark.fact("F10")
@pytest.mark.parametrize(
    ("direction", "order"),
    [
        ("inbound", ["DROP", "BOUNCE", "MOVE_TO_JUNK", "DEFAULT", "BYPASS_SPAM_CHECK", "RUN_LAMBDA"]),
        ("outbound", ["DROP", "BOUNCE", "ROUTE_TO_SMTP_GATEWAY", "RUN_LAMBDA", "DEFAULT"]),
    ],
)
def test_of_equally_specific_rules_the_most_restrictive_wins(direction: str, order: list[str]) -> None:
    way = FlowDirection(direction.upper())
    for place in range(len(order) - 1):
        weaker = [entry(action, direction=direction) for action in reversed(order[place:])]
        decision = rules(*weaker).decide(direction=way, sender=None, from_="a@x.test", recipient="b@y.test")
        assert decision.action == order[place]
        assert [lost.rule.name for lost in decision.lost] == order[place + 1 :]
        assert f"{order[place + 1]} restricts less than {order[place]} (F10)" in decision.lost[0].reason


@pytest.mark.fact("F10")
def test_of_equal_rules_the_first_wins() -> None:
    rule_set = rules(entry("DROP", name="one"), entry("DROP", name="two"))
    decision = rule_set.decide(direction=IN, sender=None, from_="a@x.test", recipient="b@y.test")
    assert decision.rule is rule_set.rules[0]
    assert "the first one in the rule set decides (F10)" in decision.reason
    assert "the first one in the rule set decides (F10)" in decision.lost[0].reason


@pytest.mark.fact("F11")
def test_default_on_a_more_specific_pattern_is_an_exception() -> None:
    rule_set = rules(entry("DROP", "*.spam.test"), entry("DEFAULT", "good.spam.test"))
    assert [ask(rule_set, f"a@{host}.spam.test") for host in ("good", "bad")] == ["DEFAULT", "DROP"]


@pytest.mark.fact("F12")
def test_a_synchronous_rule_has_the_destination_star_only() -> None:
    assert rules(entry("RUN_LAMBDA", **SYNCHRONOUS)).rules[0].synchronous
    assert problems(entry("RUN_LAMBDA", "*", "* example.com", **SYNCHRONOUS)) == [
        ("synchronous-destination", "$.rules[0].destinations[1]")
    ]
    assert rules(entry("RUN_LAMBDA", "*", "example.com", function=ARN)).rules[0].synchronous is False


@pytest.mark.fact("F13")
@pytest.mark.parametrize("minutes", [0, 240])
def test_the_rule_timeout_is_0_to_240_minutes(minutes: int) -> None:
    written = entry("RUN_LAMBDA", **{**SYNCHRONOUS, "ruleTimeoutMinutes": minutes})
    assert rules(written).rules[0].rule_timeout_minutes == minutes


@pytest.mark.fact("F13")
@pytest.mark.parametrize("minutes", [-1, 241])
def test_another_rule_timeout_is_refused(minutes: int) -> None:
    written = entry("RUN_LAMBDA", **{**SYNCHRONOUS, "ruleTimeoutMinutes": minutes})
    assert problems(written) == [("rule-timeout", "$.rules[0].ruleTimeoutMinutes")]


@pytest.mark.fact("F13")
@pytest.mark.parametrize("fallback", ["RUN_LAMBDA", "ROUTE_TO_SMTP_GATEWAY"])
def test_the_fallback_is_an_action_of_the_direction_but_run_lambda(fallback: str) -> None:
    assert problems(entry("RUN_LAMBDA", **{**SYNCHRONOUS, "fallback": fallback})) == [
        ("fallback-not-in-direction", "$.rules[0].fallback")
    ]


@pytest.mark.fact("F13")
def test_what_a_rule_file_leaves_out_of_a_synchronous_rule() -> None:
    rule = rules(entry("RUN_LAMBDA", function=ARN, synchronous=True)).rules[0]
    assert (rule.fallback, rule.rule_timeout_minutes) == (RuleAction.DEFAULT, 30)
    with pytest.raises(RuleError, match=r"fallback: found None"):
        dataclasses.replace(rule, fallback=None)


@pytest.mark.fact("F13")
@pytest.mark.parametrize(
    ("action", "more", "path"),
    [
        ("DROP", {"function": ARN}, "function"),
        ("DROP", {"synchronous": False}, "synchronous"),
        ("DROP", {"readsContent": True}, "readsContent"),
        ("DROP", {"smtpGateway": "gate"}, "smtpGateway"),
        ("RUN_LAMBDA", {"fallback": "DROP"}, "fallback"),
        ("RUN_LAMBDA", {"ruleTimeoutMinutes": 5}, "ruleTimeoutMinutes"),
    ],
)
def test_a_field_of_another_kind_of_rule_is_refused(action: str, more: dict[str, Any], path: str) -> None:
    assert problems(entry(action, **more)) == [("misplaced-field", f"$.rules[0].{path}")]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"rules": {}}, "found {'rules': {}};"),
        ({}, "found {};"),
        ({"rule": []}, "found an object with rule;"),
        ({"rules": [entry("DROP", fallback="DROP")]}, "found 'DROP'; only RUN_LAMBDA rules have it"),
    ],
)
def test_what_was_found_is_shown_as_it_stands_in_the_file(data: object, found: str) -> None:
    _, (problem,) = RuleSet.read(data)
    assert found in str(problem)


@pytest.mark.fact("F14")
def test_a_decision_is_for_one_sender_and_one_recipient_and_names_the_action() -> None:
    decision = rules().decide(direction=IN, sender=None, from_="a@x.test", recipient="b@y.test")
    assert (decision.rule, decision.action, decision.lost) == (None, RuleAction.DEFAULT, ())
    assert decision.reason == "no inbound rule matches From and recipient: the mail goes its normal way"


def test_every_problem_of_a_file_is_reported_with_its_place() -> None:
    assert problems(
        7,
        {**entry("drop", "a+b@c.test *"), "direction": "in", "extra": 1, "name": 5, "acknowledge": {"x": ""}},
        entry("RUN_LAMBDA", "*", "x.test y..test", synchronous=True, ruleTimeoutMinutes="5", fallback="MOVE"),
    ) == [
        ("bad-entry", "$.rules[0]"),
        ("bad-entry", "$.rules[1]"),
        ("bad-entry", "$.rules[1].name"),
        ("bad-entry", "$.rules[1].direction"),
        ("bad-entry", "$.rules[1].action"),
        ("bad-pattern", "$.rules[1].senders[0]"),
        ("bad-entry", "$.rules[1].acknowledge.x"),
        ("bad-pattern", "$.rules[2].destinations[1]"),
        ("bad-entry", "$.rules[2].fallback"),
        ("bad-entry", "$.rules[2].ruleTimeoutMinutes"),
        ("synchronous-destination", "$.rules[2].destinations[0]"),
    ]


@pytest.mark.parametrize("data", [None, [], "rules", {}, {"rules": None}, {"rules": [], "more": 1}])
def test_what_is_not_a_rule_file(data: object) -> None:
    rule_set, (problem,) = RuleSet.read(data)
    assert len(rule_set) == 0
    assert problem.path == "$"
    assert 'a rule file is {"rules": [...]}' in problem.message


@pytest.mark.parametrize("written", ["inbound", "Inbound", "INBOUND"])
def test_directions_are_read_in_any_case_and_written_in_lower_case(written: str) -> None:
    rule = FlowRule.from_json(entry("DROP", direction=written))
    assert rule.to_json()["direction"] == "inbound"
