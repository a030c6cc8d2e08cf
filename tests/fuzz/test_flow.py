"""The domain against a naive statement of F4-F10, written independently of it, and parsers against any text."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workmail_flow.address import address_key, domain_key
from workmail_flow.change_plan import plan_changes
from workmail_flow.change_runbook import change_runbook, rule_changes
from workmail_flow.coverage import groups
from workmail_flow.diff import diff
from workmail_flow.explain import explain
from workmail_flow.failure_record import FailureRecord, FailureRecordError
from workmail_flow.judge_payload import decode_payload, judge_payload
from workmail_flow.judge_reply import judge_reply
from workmail_flow.lint import LintCode, lint
from workmail_flow.patterns import Pattern, PatternError, PatternKind
from workmail_flow.rule_problems import RuleError, RuleProblem
from workmail_flow.rule_set import RuleSet
from workmail_flow.runbook import creation_order, runbook
from workmail_flow.template import DeclaredRules
from workmail_flow.vocabulary import RULE_ACTIONS, FlowDirection, RuleAction

if TYPE_CHECKING:
    from workmail_flow.flow_rule import FlowRule

# A small world, so that patterns meet.
mailboxes = st.sampled_from(["a", "b", "A"])
domains = st.sampled_from(["x.test", "y.x.test", "z.y.x.test", "X.Test", "other.test", "test", "xx.test"])
addresses = st.builds("{}@{}".format, mailboxes, domains)
pattern_texts = st.one_of(st.just("*"), addresses, domains, domains.map("*.{}".format))
pattern_lists = st.lists(pattern_texts, min_size=1, max_size=3)
directions = st.sampled_from(list(FlowDirection))


@st.composite
def entries(draw: st.DrawFn, direction: FlowDirection | None = None) -> dict[str, Any]:
    way = direction or draw(directions)
    action = draw(st.sampled_from(RULE_ACTIONS[way]))
    entry: dict[str, Any] = {
        "direction": way.value,
        "action": action.value,
        "senders": draw(pattern_lists),
        "destinations": draw(pattern_lists),
    }
    if action is RuleAction.RUN_LAMBDA:
        entry["function"] = draw(st.sampled_from(["one", "two"]))
        if draw(st.booleans()):
            entry |= {"synchronous": True, "destinations": ["*"]}
    return entry


@st.composite
def rule_sets(draw: st.DrawFn, direction: FlowDirection | None = None) -> RuleSet:
    drawn = draw(st.lists(entries(direction), max_size=6))
    return RuleSet.from_json({"rules": [{"name": f"r{number}", **entry} for number, entry in enumerate(drawn)]})


# The naive statement: every rule, every pattern, every time.

ORDER = {
    FlowDirection.INBOUND: ["DROP", "BOUNCE", "MOVE_TO_JUNK", "DEFAULT", "BYPASS_SPAM_CHECK", "RUN_LAMBDA"],
    FlowDirection.OUTBOUND: ["DROP", "BOUNCE", "ROUTE_TO_SMTP_GATEWAY", "RUN_LAMBDA", "DEFAULT"],
}


def naive_specificity(text: str, address: str) -> tuple[int, int] | None:
    text, address = text.lower(), address.lower()
    domain = address.split("@")[1]
    if text == "*":
        return (0, 0)
    if text.startswith("*."):
        inside = domain == text[2:] or domain.endswith(text[1:])
        return (1, len(text.split("."))) if inside else None
    if "@" in text:
        return (3, 0) if text == address else None
    return (2, 0) if text == domain else None


def naive_best(patterns: tuple[Pattern, ...], candidates: list[str]) -> tuple[int, int] | None:
    found = [naive_specificity(pattern.text, address) for pattern in patterns for address in candidates]
    return max((one for one in found if one is not None), default=None)


def naive_decide(
    rules: RuleSet, direction: FlowDirection, sender: str | None, from_: str, recipient: str
) -> tuple[FlowRule | None, set[str]]:
    """Return the rule that decides and the names of all that match the addresses it was found with."""
    if direction is FlowDirection.OUTBOUND:
        rounds = [[from_] if sender is None else [sender, from_]]
    else:
        rounds = [[from_]] if sender is None else [[sender], [from_]]
    for candidates in rounds:
        matching = []
        for place, rule in enumerate(rules):
            if rule.direction is not direction:
                continue
            of_sender, of_recipient = naive_best(rule.senders, candidates), naive_best(rule.destinations, [recipient])
            if of_sender is not None and of_recipient is not None:
                restricts = -ORDER[direction].index(rule.action)
                matching.append(((of_sender, of_recipient, restricts, -place), rule))
        if matching:
            return max(matching, key=lambda match: match[0])[1], {rule.name for _, rule in matching}
    return None, set()


def _action(rule: FlowRule | None) -> RuleAction:
    return rule.action if rule else RuleAction.DEFAULT


@pytest.mark.fact("F4", "F7", "F8", "F9", "F10")
@given(rules=rule_sets(), direction=directions, sender=st.none() | addresses, from_=addresses, recipient=addresses)
def test_the_rule_that_decides_is_the_naive_one(
    rules: RuleSet, direction: FlowDirection, sender: str | None, from_: str, recipient: str
) -> None:
    expected, matching = naive_decide(rules, direction, sender, from_, recipient)
    decision = rules.decide(direction=direction, sender=sender, from_=from_, recipient=recipient)
    assert decision.rule == expected
    assert decision.action == _action(expected)
    assert decision.reason
    lost = {lost.rule.name for lost in decision.lost}
    winner = expected and expected.name
    assert lost | {winner} >= matching
    assert winner not in lost
    assert all(lost.reason for lost in decision.lost)


@given(rules=rule_sets())
def test_a_rule_set_survives_its_file(rules: RuleSet) -> None:
    assert RuleSet.from_json(rules.to_json()) == rules


@pytest.mark.fact("F9", "F10")
@given(rules=rule_sets(), direction=directions, sender=addresses, recipient=addresses)
def test_a_rule_that_never_decides_never_does(
    rules: RuleSet, direction: FlowDirection, sender: str, recipient: str
) -> None:
    dead = {finding.rules[0] for finding in lint(rules) if finding.code is LintCode.NEVER_DECIDES}
    decided = rules.decide(direction=direction, sender=None, from_=sender, recipient=recipient).rule
    assert decided is None or decided.name not in dead


@given(rules=rule_sets())
def test_every_other_rule_decides_for_somebody(rules: RuleSet) -> None:
    dead = {finding.rules[0] for finding in lint(rules) if finding.code is LintCode.NEVER_DECIDES}
    deciding = {
        group.rules[0].name for direction in FlowDirection for group in groups((rules,), direction) if group.rules[0]
    }
    assert deciding == {rule.name for rule in rules} - dead


@given(rules=rule_sets())
def test_a_witness_is_matched_by_the_rules_it_shows(rules: RuleSet) -> None:
    by_name = {rule.name: rule for rule in rules}
    shown = [(finding.witness, by_name[name]) for finding in lint(rules) for name in finding.rules[:2]]
    for witness, rule in ((witness, rule) for witness, rule in shown if witness):
        assert naive_best(rule.senders, [witness.sender]) is not None
        assert naive_best(rule.destinations, [witness.recipient]) is not None


@given(rules=rule_sets())
def test_drop_and_bounce_overlap_wherever_two_rules_share_an_address(rules: RuleSet) -> None:
    reported = {name for finding in lint(rules) if finding.code is LintCode.OVERLAPS_DROP for name in finding.rules}
    drops = [rule for rule in rules if rule.action is RuleAction.DROP]
    rest = [rule for rule in rules if rule.action is not RuleAction.DROP]
    assert {rule.name for drop in drops for other in rest if _share(drop, other) for rule in (drop, other)} <= reported


def _share(one: FlowRule, other: FlowRule) -> bool:
    """Whether two rules match some mail both."""
    sides = ((one.senders, other.senders), (one.destinations, other.destinations))
    return one.direction is other.direction and all(
        any(_meet(some.text.lower(), another.text.lower()) for some in ones for another in others)
        for ones, others in sides
    )


def _meet(one: str, two: str) -> bool:
    """Whether some address of a world that has each pattern's own members matches both."""
    members = [
        f"{mailbox}@{label}{text.removeprefix('*.').rpartition('@')[2]}"
        for text in (one, two)
        if text != "*"
        for mailbox in (*(t.split("@")[0] for t in (one, two) if "@" in t), "fresh")
        for label in ("", "fresh.")
    ] or ["fresh@fresh"]
    return any(naive_specificity(one, member) and naive_specificity(two, member) for member in members)


@pytest.mark.fact("F11")
@given(rules=rule_sets(), sender=addresses, recipient=addresses, direction=directions, data=st.data())
def test_no_mail_is_wrongly_dropped_while_the_rules_are_created(
    rules: RuleSet, sender: str, recipient: str, direction: FlowDirection, data: st.DataObject
) -> None:
    order = creation_order(rules)
    so_far = RuleSet(order[: data.draw(st.integers(0, len(order)))])
    question: dict[str, Any] = {"direction": direction, "sender": None, "from_": sender, "recipient": recipient}
    meanwhile, at_last = so_far.decide(**question).action, rules.decide(**question).action
    as_bad = {RuleAction.DROP: {RuleAction.DROP}, RuleAction.BOUNCE: {RuleAction.DROP, RuleAction.BOUNCE}}
    assert at_last in as_bad.get(meanwhile, set(RuleAction))


@given(before=rule_sets(), after=rule_sets(), sender=addresses, recipient=addresses, direction=directions)
def test_diff_shows_exactly_whose_mail_changes(
    before: RuleSet, after: RuleSet, sender: str, recipient: str, direction: FlowDirection
) -> None:
    question: dict[str, Any] = {"direction": direction, "sender": None, "from_": sender, "recipient": recipient}
    was, is_ = _effect(before.decide(**question).rule), _effect(after.decide(**question).rule)
    both = RuleSet([*before, *after])
    narrowest = _narrowest(both, direction, sender, recipient)
    shown = [
        change
        for change in diff(before, after)
        if change.direction is direction and narrowest[0] in change.senders and narrowest[1] in change.destinations
    ]
    assert bool(shown) == (was != is_)


def _effect(rule: FlowRule | None) -> tuple[object, ...]:
    return rule.effect if rule and rule.action is not RuleAction.DEFAULT else (RuleAction.DEFAULT,)


def _narrowest(rules: RuleSet, direction: FlowDirection, sender: str, recipient: str) -> tuple[Pattern, Pattern]:
    own = [rule for rule in rules if rule.direction is direction]
    anyone = Pattern.parse("*")

    def best(patterns: list[Pattern], address: str) -> Pattern:
        matching = [(naive_specificity(pattern.text, address), pattern) for pattern in [*patterns, anyone]]
        return max(((rank, p) for rank, p in matching if rank is not None), key=lambda found: found[0])[1]

    return (
        best([pattern for rule in own for pattern in rule.senders], sender),
        best([pattern for rule in own for pattern in rule.destinations], recipient),
    )


@pytest.mark.fact("F14")
@given(before=rule_sets(), after=rule_sets(), sender=addresses, recipient=addresses, direction=directions)
def test_while_rules_change_mail_meets_the_old_or_the_new_ones_or_is_named(
    before: RuleSet, after: RuleSet, sender: str, recipient: str, direction: FlowDirection
) -> None:
    steps = plan_changes(before, after)
    after = RuleSet(next((old for old in before if _is_typed_alike(old, rule)), rule) for rule in after)
    # No source says which of two equal rules comes first (F10): here it is the same one all the time.
    known = list(dict.fromkeys([*after, *before]))

    def decide(rules: set[FlowRule]) -> FlowRule | None:
        return naive_decide(RuleSet(sorted(rules, key=known.index)), direction, None, sender, recipient)[0]

    allowed = [_effect(decide(set(before))), _effect(decide(set(after)))]
    narrowest = _narrowest(RuleSet(known), direction, sender, recipient)
    present, exposed = set(before), dict[int, tuple[object, ...]]()
    for number, step in enumerate(steps, 1):
        present = present - {step.before} | ({step.after} if step.after else set())
        assert len({rule.name for rule in present}) == len(present), "a name is unique (F1)"
        exposed = {until: effect for until, effect in exposed.items() if until > number}
        exposed |= {
            exposure.until: _effect(exposure.rule)
            for exposure in step.exposures
            if exposure.direction is direction
            and narrowest[0] in exposure.senders
            and narrowest[1] in exposure.destinations
        }
        meanwhile = _effect(decide(present))
        assert list(exposed.values()) == ([] if meanwhile in allowed else [meanwhile])
    assert present == set(after)


def _is_typed_alike(one: FlowRule, other: FlowRule) -> bool:
    forms = [
        (rule.name, rule.direction, set(rule.senders), set(rule.destinations), rule.effect) for rule in (one, other)
    ]
    return forms[0] == forms[1]


@given(rules=rule_sets())
def test_to_create_all_rules_no_mail_needs_to_be_exposed(rules: RuleSet) -> None:
    steps = plan_changes(RuleSet(), rules)
    assert {step.after for step in steps} == set(rules)
    back = plan_changes(rules, RuleSet())
    assert {step.before for step in back} == set(rules)
    assert plan_changes(rules, rules) == ()
    if all(len(rule.senders) == len(rule.destinations) == 1 for rule in rules):
        assert not any(step.exposures for step in (*steps, *back))


@given(rules=rule_sets())
def test_rule_sets_can_be_shown(rules: RuleSet) -> None:
    declared = DeclaredRules(organization_id="m-x", organization_arn="", domains=("x.test",), rules=rules)
    none = replace(declared, rules=RuleSet())
    book, picture = runbook(declared), explain(rules)
    for change in (rule_changes(declared, none), rule_changes(none, declared)):
        assert all(rule.name in change_runbook(change) for rule in rules)
    assert all(rule.name in book and rule.name in picture for rule in rules)
    assert diff(rules, rules) == ()


# Parsers take anything

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=15,
)
near_patterns = st.text(st.sampled_from("*.@+ab-\u00fc\u3002\u200d\u00df \n") | st.characters(), max_size=30)


@pytest.mark.fact("F4", "F5")
@given(text=near_patterns)
def test_any_text_is_a_pattern_or_is_refused_with_the_reason(text: str) -> None:
    for pattern in _parsed(text):
        assert "+" not in text
        assert text == text.strip()
        assert not text.endswith(".")
        assert Pattern.parse(text.translate(UPPER_CASE)) == pattern
        assert Pattern.parse({PatternKind.WILDCARD_DOMAIN: "*."}.get(pattern.kind, "") + pattern.key or "*") == pattern


UPPER_CASE = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


def _parsed(text: str) -> list[Pattern]:
    """The pattern, or nothing if the text is refused with the reason."""
    message = ""
    try:
        return [Pattern.parse(text)]
    except PatternError as error:
        message = str(error)
    assert "is not a pattern: " in message
    assert "allowed are mailbox@example.com" in message
    return []


@given(entry=json_values)
def test_any_value_is_a_rule_file_or_is_refused(entry: object) -> None:
    for value in (entry, {"rules": entry}, {"rules": [entry]}):
        _, problems = RuleSet.read(value)
        assert all(problem.path.startswith("$") and problem.message for problem in problems)
        assert _problems_raised(value) == problems


def _problems_raised(value: object) -> tuple[RuleProblem, ...]:
    try:
        RuleSet.from_json(value)
    except RuleError as error:
        return error.problems
    return ()


@given(payload=st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_decoded_or_refused(payload: bytes) -> None:
    reply, fault = decode_payload(payload)
    assert fault is None or (reply is None and fault.code == "not-json")
    again, fault = decode_payload(json.dumps(reply, ensure_ascii=False).encode())
    assert (again, fault) == (reply, None)
    _, verdict = judge_payload(payload, direction=FlowDirection.INBOUND, recipients=["a@x.test"])
    assert verdict.ok is bool(verdict.decisions)


@given(reply=json_values, direction=directions)
def test_any_reply_is_judged(reply: object, direction: FlowDirection) -> None:
    for value in (reply, {"actions": reply}, {"actions": [reply]}, {"actions": [{"action": reply}]}):
        verdict = judge_reply(value, direction=direction, recipients=["a@x.test"])
        assert verdict.ok is bool(verdict.decisions)


@given(text=st.text(max_size=80))
def test_keys_are_their_own_keys(text: str) -> None:
    assume(text.isprintable())
    assert domain_key(domain_key(text)) == domain_key(text)
    assert address_key("A@" + text).startswith("a@") or "@" in text


@given(label=st.text(string.ascii_lowercase + "äöüßçñøæþłœéѝбдωςλ中文日本語한국", min_size=1, max_size=15))
def test_both_spellings_of_an_internationalized_domain_are_one(label: str) -> None:
    ascii_label = _by_idna_2008(label)
    assert domain_key(label) == ascii_label
    assert Pattern.parse(f"{label}.example") == Pattern.parse(f"{ascii_label}.example".upper())


def _by_idna_2008(label: str) -> str:
    """The A-label that an independent implementation gives; labels it refuses are not tried."""
    idna = pytest.importorskip("idna", reason="the independent implementation of IDNA 2008")
    try:
        encoded: bytes = idna.encode(label, uts46=True)
    except idna.IDNAError:
        assume(False)
    return encoded.decode()


# Records of an on-failure queue


def _record(**parts: Any) -> dict[str, Any]:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:rule"
    context = {"requestId": "r", "functionArn": arn, "condition": "c", "approximateInvokeCount": 1}
    event = {"envelope": {"recipients": []}}
    return {
        "version": "1.0",
        "timestamp": "2026-03-01T18:16:05Z",
        "requestContext": context | parts.get("context", {}),
        "requestPayload": event | parts.get("event", {}),
        **parts.get("other", {}),
    }


words = st.sampled_from(
    ["envelope", "messageId", "invocationId", "subject", "timestamp", "functionArn", "responsePayload", "condition"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(), inner, max_size=4),
    max_leaves=10,
)
json_objects = st.dictionaries(words, json_values, max_size=3)
records = st.builds(_record, context=json_objects, event=json_objects, other=json_objects)


@given(value=json_values | records)
def test_any_json_is_a_record_that_can_be_sent_or_an_error(value: object) -> None:
    try:
        record = FailureRecord.read(json.dumps(value))
    except FailureRecordError:
        return
    assert isinstance(value, dict)
    assert json.loads(record.payload().decode("utf-8", "strict")) == value["requestPayload"]
    assert record.invoked.startswith("arn:aws:lambda:")
    assert "@" not in f"{record.request_id}{record.condition}{record.error_type}{record.message_id}"
    # What is read is what we write.
    assert FailureRecord.read(json.dumps(record.to_json())).event == record.event


@given(text=st.text())
def test_any_text_is_a_record_or_an_error(text: str) -> None:
    with pytest.raises(FailureRecordError):
        FailureRecord.read(text)
