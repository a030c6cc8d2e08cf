"""The log that a perfect WorkMail would write gives no findings; each fault of a typed rule gives its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fuzz.test_flow import addresses, rule_sets
from workmail_flow.email_events import RULE_TYPE_OF, EmailEvent, EventName
from workmail_flow.observed import FindingCode, Observation, RuleObserver, possible_actions
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from workmail_flow.flow_rule import FlowRule

NOON = 1_780_000_000_000
LATER = NOON + 10**9
Mail = tuple[FlowDirection, str | None, str, list[str]]
RECEIVED = {
    FlowDirection.INBOUND: EventName.ORGANIZATION_EMAIL_RECEIVED,
    FlowDirection.OUTBOUND: EventName.OUTGOING_EMAIL_SUBMITTED,
}
mails = st.lists(
    st.tuples(
        st.sampled_from(FlowDirection),
        st.none() | addresses,
        addresses,
        st.lists(addresses, min_size=1, max_size=3, unique_by=str.lower),
    ),
    max_size=5,
)


def log_of(typed: RuleSet, mail: list[Mail], words: dict[str, str]) -> list[EmailEvent]:
    """The entries of a WorkMail whose console has these rules; `words` gives another action by rule name."""
    written = []
    for number, (direction, sender, from_, recipients) in enumerate(mail):
        trace = f"t{number}"
        fields: dict[str, Any] = {"recipients": recipients, "from": from_} | ({"sender": sender} if sender else {})
        written.append(EmailEvent(trace_id=trace, name=RECEIVED[direction], fields=fields))
        by_rule: dict[FlowRule, list[str]] = {}
        for recipient in recipients:
            rule = typed.decide(direction=direction, sender=sender, from_=from_, recipient=recipient).rule
            if rule:
                by_rule.setdefault(rule, []).append(recipient)
        for rule, those in by_rule.items():
            actions = [{"action": words.get(rule.name, rule.action.value), "recipients": those}]
            fields = {"ruleName": rule.name, "ruleType": RULE_TYPE_OF[direction], "ruleActions": actions}
            written.append(EmailEvent(trace_id=trace, name=EventName.RULE_APPLIED, fields=fields))
    return written


def observe(declared: RuleSet, entries: list[EmailEvent]) -> Observation:
    observer = RuleObserver(declared)
    for number, event in enumerate(entries):
        observed = EmailEvent.read(event.to_text())
        assert observed == event
        observer.add(observed, NOON + number)
    return observer.finish(LATER)


def problems(found: Observation) -> list[tuple[FindingCode, str]]:
    return [(finding.code, finding.rule) for finding in found.findings if finding.is_problem]


def seen(entries: list[EmailEvent]) -> list[str]:
    """The names of the rules that a log shows, each once."""
    return list(dict.fromkeys(event.fields["ruleName"] for event in entries if event.name == EventName.RULE_APPLIED))


@pytest.mark.fact("W3", "W4")
@given(rules=rule_sets(), mail=mails, data=st.data())
def test_the_log_of_the_declared_rules_gives_no_findings(rules: RuleSet, mail: list[Mail], data: st.DataObject) -> None:
    entries = data.draw(st.permutations(log_of(rules, mail, {})))
    found = observe(rules, entries)
    assert problems(found) == []
    assert found.not_judged == {}
    assert found.recipients == sum(len(recipients) for *_, recipients in mail)
    never = [finding.rule for finding in found.findings]
    assert never == [rule.name for rule in rules if rule.name not in seen(entries)]


@given(rules=rule_sets(), mail=mails, data=st.data())
def test_a_rule_typed_with_another_name_is_found(rules: RuleSet, mail: list[Mail], data: st.DataObject) -> None:
    names = seen(log_of(rules, mail, {}))
    assume(names)
    name = data.draw(st.sampled_from(names))
    typed = RuleSet.from_json(
        {"rules": [entry | {"name": "R-" + name[1:]} if entry["name"] == name else entry for entry in _entries(rules)]}
    )
    found = problems(observe(rules, log_of(typed, mail, {})))
    assert set(found) == {
        (FindingCode.NEVER_APPLIED, name),
        (FindingCode.NOT_DECLARED, "R-" + name[1:]),
        (FindingCode.OTHER_RULE_DECIDED, name),
    }


@given(rules=rule_sets(), mail=mails, data=st.data())
def test_a_rule_that_nobody_typed_is_found(rules: RuleSet, mail: list[Mail], data: st.DataObject) -> None:
    names = seen(log_of(rules, mail, {}))
    assume(names)
    name = data.draw(st.sampled_from(names))
    typed = RuleSet(rule for rule in rules if rule.name != name)
    found = problems(observe(rules, log_of(typed, mail, {})))
    assert (FindingCode.NEVER_APPLIED, name) in found
    assert {code for code, _ in found} <= {
        FindingCode.NEVER_APPLIED,
        FindingCode.OTHER_RULE_DECIDED,
        FindingCode.NO_RULE_DECIDED,
    }
    assert {rule for _, rule in found} == {name}


@given(rules=rule_sets(), mail=mails, data=st.data())
def test_a_rule_typed_with_another_action_is_found(rules: RuleSet, mail: list[Mail], data: st.DataObject) -> None:
    names = seen(log_of(rules, mail, {}))
    assume(names)
    name = data.draw(st.sampled_from(names))
    (rule,) = (rule for rule in rules if rule.name == name)
    action = data.draw(st.sampled_from([word for word in RuleAction if word not in possible_actions(rule)]))
    found = observe(rules, log_of(rules, mail, {name: action.value}))
    assert problems(found) == [(FindingCode.IMPOSSIBLE_ACTION, name)]


def _entries(rules: RuleSet) -> list[dict[str, Any]]:
    return [rule.to_json() for rule in rules]
