"""Declared rules beside an event log: each finding, and each thing that the log cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.email_events import EmailEvent, EventName
from workmail_flow.observed import (
    MAX_KINDS,
    MAX_NAME_CHARACTERS,
    MAX_PARTS_OF_MESSAGE,
    FindingCode,
    NotJudged,
    Observation,
    RuleObserver,
)
from workmail_flow.vocabulary import FlowDirection, RuleAction

MINUTE = 60_000
NOON = 1_780_000_000_000
LATER = NOON + 24 * 60 * MINUTE
ME, YOU = "me@own.test", "you@own.test"

# Two inbound rules, so that one of them decides and the other could.
DROP = entry("DROP", "spam.test")
DEFAULT = entry("DEFAULT", "news.test")


def received(*recipients: str, from_: str = "a@spam.test", trace: str = "t", **more: Any) -> EmailEvent:
    fields = {"recipients": list(recipients) or [ME], "from": from_, "subject": "secret", **more}
    return EmailEvent(trace_id=trace, name=EventName.ORGANIZATION_EMAIL_RECEIVED, fields=fields)


def submitted(*recipients: str, from_: str = ME, trace: str = "t") -> EmailEvent:
    fields = {"recipients": list(recipients), "from": from_}
    return EmailEvent(trace_id=trace, name=EventName.OUTGOING_EMAIL_SUBMITTED, fields=fields)


def applied(
    rule: object, *actions: Any, kind: str = "INBOUND_RULE", trace: str = "t", to: tuple[str, ...] = (ME,)
) -> EmailEvent:
    listed = [
        {"action": action, "recipients": list(to)} if isinstance(action, str) else action
        for action in actions or (rule,)
    ]
    fields = {"ruleName": rule, "ruleType": kind, "ruleActions": listed}
    return EmailEvent(trace_id=trace, name=EventName.RULE_APPLIED, fields=fields)


def observe(
    declared: list[dict[str, Any]], *events: EmailEvent, until: int = LATER, max_open_parts: int = 1_000
) -> Observation:
    """Compare rules with entries that come a second apart."""
    observer = RuleObserver(rules(*declared), max_open_parts=max_open_parts)
    for number, event in enumerate(events):
        observer.add(event, NOON + number * 1_000)
    return observer.finish(until)


def codes(found: Observation) -> list[tuple[str, str]]:
    return [(finding.code.value, finding.rule) for finding in found.findings]


def not_judged(found: Observation) -> dict[str, int]:
    return {reason.value: sightings.count for reason, sightings in found.not_judged.items()}


@pytest.mark.fact("W3", "W4")
@pytest.mark.parametrize("order", [1, -1])
def test_a_log_that_agrees_gives_no_findings(order: int) -> None:
    found = observe([DROP], *[received(), applied("DROP")][::order])
    assert (codes(found), not_judged(found)) == ([], {})
    assert (found.messages, found.recipients) == (1, 1)
    assert found.applied == {("DROP", FlowDirection.INBOUND): 1}


# Declared and never seen


@pytest.mark.fact("W4")
def test_a_rule_that_no_mail_was_for_is_never_seen_and_no_problem() -> None:
    found = observe([DROP, DEFAULT], received(), applied("DROP"))
    assert codes(found) == [("never-seen", "DEFAULT")]
    assert not found.findings[0].is_problem
    assert found.findings[0].sightings is None
    assert "of the mail that could be judged none was for it" in found.findings[0].message


@pytest.mark.fact("W4")
def test_a_rule_that_mail_was_for_was_never_applied() -> None:
    found = observe([DROP], received(ME, YOU), received(trace="u"))
    assert codes(found) == [("never-applied", "DROP"), ("no-rule-decided", "DROP")]
    never, none = found.findings
    assert never.is_problem
    assert never.sightings is not None
    assert none.sightings is not None
    assert (never.sightings.count, never.sightings.first_ms, never.sightings.last_ms) == (3, NOON, NOON + 1_000)
    assert (none.sightings.count, none.sightings.sample.trace_id) == (3, "t")


def test_findings_that_are_no_problem_come_last() -> None:
    found = observe([DEFAULT, DROP], applied("Other"))
    assert codes(found) == [("not-declared", "Other"), ("never-seen", "DEFAULT"), ("never-seen", "DROP")]


# Seen and never declared


@pytest.mark.fact("W4")
@pytest.mark.parametrize(("kind", "direction"), [("INBOUND_RULE", "INBOUND"), ("OUTBOUND_RULE", "OUTBOUND")])
def test_a_rule_that_nobody_declared_is_found(kind: str, direction: str) -> None:
    found = observe([], applied("Typed by hand", "DROP", kind=kind), applied("Typed by hand", "DROP", kind=kind))
    assert codes(found) == [("not-declared", "Typed by hand")]
    (finding,) = found.findings
    assert (finding.direction, finding.other) == (direction, None)
    assert finding.sightings is not None
    assert finding.sightings.count == 2
    assert kind in finding.message
    assert finding.remedy == "Declare the rule, or delete it in the console."


@pytest.mark.parametrize("typed", ["block Spam", "Block  spam ", "Block-spam", "Block\u200bspam"])
def test_a_name_that_was_typed_wrong_is_said_to_be_near(typed: str) -> None:
    found = observe([DROP | {"name": "Block spam"}], applied(typed, "DROP"))
    finding = found.findings[0]
    assert (finding.code, finding.rule, finding.other) == (FindingCode.NOT_DECLARED, typed, "Block spam")
    assert "differs from 'Block spam' in case, spaces or punctuation only" in finding.message


def test_names_without_letters_are_not_near() -> None:
    assert observe([DROP | {"name": "!"}], applied("?", "DROP")).findings[0].other is None


@pytest.mark.fact("W4")
def test_a_users_own_rule_is_none_of_the_organizations() -> None:
    found = observe([], received(), applied("Holiday", "MOVED", kind="MAILBOX_RULE"))
    assert (found.findings, not_judged(found)) == ((), {})


def test_a_rule_of_the_other_direction_is_found() -> None:
    found = observe([DROP], applied("DROP", kind="OUTBOUND_RULE"))
    assert codes(found) == [("other-direction", "DROP"), ("never-seen", "DROP")]
    assert "applied as OUTBOUND_RULE; it is declared for the other direction" in found.findings[0].message


# Actions


LAMBDA = entry("RUN_LAMBDA", function="f")
SYNCHRONOUS = LAMBDA | {"synchronous": True}
OUTBOUND = SYNCHRONOUS | {"direction": "outbound", "fallback": "ROUTE_TO_SMTP_GATEWAY"}


@pytest.mark.fact("W4", "F2", "R2")
@pytest.mark.parametrize(
    ("rule", "may"),
    [
        (DROP, {"DROP"}),
        (entry("BYPASS_SPAM_CHECK"), {"BYPASS_SPAM_CHECK"}),
        (LAMBDA, {"RUN_LAMBDA", "DEFAULT"}),
        (SYNCHRONOUS, {"RUN_LAMBDA", "BOUNCE", "DROP", "DEFAULT", "BYPASS_SPAM_CHECK", "MOVE_TO_JUNK"}),
        (OUTBOUND, {"RUN_LAMBDA", "BOUNCE", "DROP", "DEFAULT", "ROUTE_TO_SMTP_GATEWAY"}),
        (OUTBOUND | {"fallback": "DROP"}, {"RUN_LAMBDA", "BOUNCE", "DROP", "DEFAULT"}),
    ],
)
def test_an_action_that_the_rule_cannot_have_is_found(rule: dict[str, Any], may: set[str]) -> None:
    kind = f"{rule['direction'].upper()}_RULE"
    for action in RuleAction:
        found = observe([rule], applied(rule["name"], action.value, kind=kind))
        problems = [(finding.code, finding.action) for finding in found.findings]
        assert problems == ([] if action in may else [(FindingCode.IMPOSSIBLE_ACTION, action)])


@pytest.mark.parametrize("spelled", ["MOVE_TO_JUNK", "MoveToJunk", "move-to-junk", "Move to junk"])
def test_actions_are_compared_whatever_their_case_and_separators(spelled: str) -> None:
    assert observe([entry("MOVE_TO_JUNK")], applied("MOVE_TO_JUNK", spelled)).findings == ()
    assert observe([entry("DROP")], applied("DROP", spelled)).findings[0].action is RuleAction.MOVE_TO_JUNK


@pytest.mark.fact("W4")
def test_a_word_that_is_not_known_is_listed_and_not_judged() -> None:
    found = observe([DROP], received(), applied("DROP", "Shredded", "DROP"), applied("DROP", "Shredded"))
    assert found.findings == ()
    assert not_judged(found) == {"unknown-action": 2}
    assert {word: sightings.count for word, sightings in found.unknown_actions.items()} == {"Shredded": 2}


@pytest.mark.fact("W4")
@pytest.mark.parametrize("actions", [None, "DROP", {}, [], ["DROP"], [{"action": 1}]])
def test_actions_of_another_shape_are_counted_and_not_judged(actions: object) -> None:
    event = EmailEvent(
        trace_id="t",
        name="RULE_APPLIED",
        fields={"ruleName": "DROP", "ruleType": "INBOUND_RULE", "ruleActions": actions},
    )
    found = observe([DROP], received(ME, YOU), event)
    # The rule was applied to the message, though nobody knows to whom.
    assert (found.findings, not_judged(found)) == ((), {"unreadable-actions": 1})


def test_an_action_that_cannot_be_read_may_be_for_any_recipient() -> None:
    found = observe([DROP], received(ME, YOU), applied("DROP", "DROP", {"verb": "DROP"}, to=(ME,)))
    assert (found.findings, not_judged(found)) == ((), {"unreadable-actions": 1})


# Which rule decided


@pytest.mark.fact("W4", "F8")
def test_mail_that_another_rule_decided_is_found_for_each_recipient() -> None:
    rule_set = [DROP, DEFAULT, entry("BOUNCE", "*", YOU)]
    found = observe(
        rule_set,
        received(ME, YOU, "third@own.test"),
        applied("DROP", to=("third@own.test",)),
        applied("DEFAULT", to=(ME, YOU)),
        applied("BOUNCE", trace="u"),
    )
    decided = [finding for finding in found.findings if finding.code is FindingCode.OTHER_RULE_DECIDED]
    assert [(finding.rule, finding.other, finding.sightings and finding.sightings.count) for finding in decided] == [
        ("DROP", "DEFAULT", 2)
    ]
    assert decided[0].message == "The inbound rule 'DROP' should have decided, and 'DEFAULT' did."


def test_a_rule_that_nobody_declared_may_have_decided() -> None:
    found = observe([DROP], received(), applied("Mine", "DEFAULT"))
    assert codes(found) == [("never-applied", "DROP"), ("not-declared", "Mine"), ("other-rule-decided", "DROP")]


@pytest.mark.parametrize("order", [1, -1])
def test_a_second_rule_for_one_recipient_is_found(order: int) -> None:
    found = observe([DROP, DEFAULT], received(), *[applied("DROP"), applied("DEFAULT")][::order])
    assert codes(found) == [("other-rule-decided", "DROP")]


def test_a_declared_rule_that_decides_mail_no_rule_is_for_is_found() -> None:
    found = observe([DROP], received(from_="a@good.test"), applied("DROP"))
    assert codes(found) == [("not-its-mail", "DROP")]


def test_a_rule_that_nobody_declared_is_found_once() -> None:
    assert codes(observe([], received(), applied("Mine", "DROP"))) == [("not-declared", "Mine")]


def test_mail_without_a_rule_that_no_rule_is_for_is_as_it_should_be() -> None:
    found = observe([DROP], received(from_="a@good.test"))
    assert codes(found) == [("never-seen", "DROP")]
    assert found.recipients == 1


def test_entries_that_name_no_recipients_are_judged_by_the_message() -> None:
    to_me = entry("BOUNCE", "spam.test", ME)
    both = observe([DROP, to_me], received(ME, YOU), applied("DROP", to=()), applied("BOUNCE", to=()))
    assert (both.findings, both.recipients) == ((), 2)
    wrong = observe([DROP, DEFAULT], received(ME), applied("DEFAULT", to=()))
    assert ("other-rule-decided", "DROP") in codes(wrong)
    stranger = observe([DROP, DEFAULT], received(ME), applied("DROP", to=()), applied("DEFAULT", to=()))
    assert codes(stranger) == [("not-its-mail", "DEFAULT")]


@pytest.mark.fact("F7")
def test_the_sender_counts_before_from_and_outbound_both() -> None:
    assert observe([DROP], received(from_="b@x.test", sender="a@spam.test"), applied("DROP")).findings == ()
    found = observe([DROP, DEFAULT], received(from_="b@news.test", sender="a@spam.test"), applied("DEFAULT"))
    assert ("other-rule-decided", "DROP") in codes(found)


@pytest.mark.fact("W3")
def test_mail_within_the_organization_has_both_directions_in_one_trace() -> None:
    out = entry("BOUNCE", "own.test") | {"direction": "outbound"}
    found = observe(
        [out, entry("DROP", "own.test")],
        submitted(YOU),
        applied("BOUNCE", kind="OUTBOUND_RULE", to=(YOU,)),
        received(YOU, from_=ME),
        applied("DROP", to=(YOU,)),
    )
    assert (found.findings, found.messages, found.recipients) == ((), 2, 2)
    only_out = observe([out], submitted(YOU), received(YOU, from_=ME))
    assert (only_out.findings[0].rule, only_out.findings[0].direction) == ("BOUNCE", "OUTBOUND")


def test_addresses_are_compared_whatever_their_case() -> None:
    assert observe([DROP], received("Me@Own.test"), applied("DROP", to=("me@own.TEST",))).findings == ()


# What the log cannot tell


@pytest.mark.fact("W3")
def test_a_message_without_its_own_entry_is_not_judged() -> None:
    found = observe([DROP, DEFAULT], applied("DROP"))
    assert (codes(found), not_judged(found)) == ([("never-seen", "DEFAULT")], {"no-message-entry": 1})


@pytest.mark.fact("W3", "F7")
@pytest.mark.parametrize("from_", ["", "no address", "a b@spam.test", "a" * 400 + "@spam.test"])
def test_a_message_without_a_plain_from_is_not_judged(from_: str) -> None:
    found = observe([entry("DROP")], received(from_=from_))
    assert (codes(found), not_judged(found)) == ([("never-seen", "DROP")], {"no-from": 1})


def test_a_message_whose_entries_contradict_each_other_is_not_judged() -> None:
    found = observe([DROP], received(), received(from_="b@good.test"))
    assert not_judged(found) == {"two-senders": 1}
    assert found.messages == 1


def test_a_message_of_several_conversations_has_the_recipients_of_all() -> None:
    assert observe([DROP], received(ME), received(YOU), applied("DROP", to=(ME, YOU))).recipients == 2


def test_a_recipient_that_is_no_address_is_not_judged() -> None:
    found = observe([DROP], received(ME, "undisclosed"), applied("DROP"))
    assert (found.findings, not_judged(found)) == ((), {"no-plain-recipient": 1})


@pytest.mark.fact("R6", "W4")
def test_a_recipient_that_a_function_added_is_not_judged() -> None:
    found = observe([SYNCHRONOUS], received(ME), applied("RUN_LAMBDA", "DEFAULT", to=(ME, "archive@own.test")))
    assert (found.findings, not_judged(found)) == ((), {"added-recipient": 1})


def test_a_recipient_that_its_rule_does_not_name_is_not_judged() -> None:
    found = observe([DROP], received(ME, YOU), applied("DROP", to=(ME,)))
    assert (found.findings, not_judged(found), found.recipients) == ((), {"recipient-not-named": 1}, 1)


@pytest.mark.fact("T2", "W4")
@pytest.mark.parametrize(
    ("rule", "minutes"), [(entry("DROP"), 15), (SYNCHRONOUS | {"ruleTimeoutMinutes": 60}, 75), (LAMBDA, 15)]
)
def test_a_rule_may_write_its_entry_after_what_was_read(rule: dict[str, Any], minutes: int) -> None:
    early = observe([rule], received(), until=NOON + minutes * MINUTE - 1)
    assert (codes(early), not_judged(early)) == ([("never-seen", rule["name"])], {"near-the-end": 1})
    late = observe([rule], received(), until=NOON + minutes * MINUTE)
    assert ("no-rule-decided", rule["name"]) in codes(late)


@pytest.mark.fact("W3")
def test_mail_that_the_dmarc_policy_may_have_stopped_is_not_judged() -> None:
    dmarc = EmailEvent(trace_id="t", name=EventName.DMARC_POLICY_APPLIED, fields={"policy": "reject"})
    found = observe([DROP], received(), dmarc)
    assert (codes(found), not_judged(found)) == ([("never-seen", "DROP")], {"dmarc-policy": 1})
    assert ("not-its-mail", "DROP") in codes(observe([DROP], dmarc, received(from_="a@x.test"), applied("DROP")))


@pytest.mark.parametrize(("rule", "kind"), [(None, "INBOUND_RULE"), ("DROP", "SIDEWAYS_RULE"), ("DROP", {})])
def test_an_entry_without_a_rule_is_not_judged(rule: object, kind: Any) -> None:
    assert not_judged(observe([], applied(rule, "DROP", kind=kind))) == {"unreadable-rule": 1}


def test_other_events_are_passed_over() -> None:
    delivered = EmailEvent(trace_id="t", name="MAILBOX_EMAIL_DELIVERED", fields={"recipient": ME})
    news = EmailEvent(trace_id="t", name="SOMETHING_NEW", fields={})
    found = observe([], delivered, news)
    assert (found.findings, found.messages, not_judged(found)) == ((), 0, {})


# Bounds


def test_a_message_is_judged_and_forgotten_once_no_entry_can_come() -> None:
    observer = RuleObserver(rules(DROP), max_open_parts=4)
    for number in range(100):
        trace, at_ms = f"t{number}", NOON + number * 256 * MINUTE
        observer.add(received(trace=trace), at_ms)
        observer.add(applied("DROP", trace=trace), at_ms + 1)
        assert len(observer._open) == 1
    found = observer.finish(LATER)
    assert (found.findings, found.recipients, not_judged(found)) == ((), 100, {})


def test_a_message_that_waits_too_long_for_memory_is_counted() -> None:
    events = [received(trace=f"t{number}") for number in range(10)]
    found = observe([DROP], *events, max_open_parts=6)
    assert not_judged(found) == {"too-many-messages": 7}
    assert found.recipients == 3
    assert observe([DROP], *events, max_open_parts=20).recipients == 10


def test_a_message_that_is_too_large_is_counted_and_its_parts_are_given_up() -> None:
    observer = RuleObserver(rules(DROP))
    many = tuple(f"m{number}@own.test" for number in range(MAX_PARTS_OF_MESSAGE + 1))
    observer.add(received(), NOON)
    observer.add(received(*many), NOON)
    observer.add(applied("DROP"), NOON)
    assert observer._open_parts == 1
    found = observer.finish(LATER)
    assert (not_judged(found), found.recipients) == ({"too-large-message": 1}, 0)


def test_names_are_cut_and_no_more_than_so_many_are_told_apart() -> None:
    events = [applied(f"rule {number}", "DROP") for number in range(MAX_KINDS + 5)]
    found = observe([], *events)
    assert len(found.findings) == MAX_KINDS
    assert found.not_judged[NotJudged.TOO_MANY_NAMES].count == 5
    (finding,) = observe([], applied("x" * 10_000, "DROP")).findings
    assert len(finding.rule) == MAX_NAME_CHARACTERS + 1
