"""`AllowOrBlock`: which list an address is on, and what is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rules.one_message import actions, new_event, one_message
from workmail_flow.patterns import Pattern
from workmail_rules import allow_or_block
from workmail_rules.allow_or_block import KEYS_PER_CALL, run
from workmail_rules.step_errors import OutOfTimeError, StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

DECISIONS = {
    "blocked": {"action": "BOUNCE", "text": "No."},
    "allowed": {"action": "BYPASS_SPAM_CHECK"},
    "otherwise": {"action": "MOVE_TO_JUNK"},
}
ARGUMENTS: dict[str, Any] = {"whose": "SENDERS", "wins": "ALLOW", **DECISIONS}


class Lists:
    """A table of lists, as BatchGetItem answers from it."""

    def __init__(self, items: Mapping[str, str], *, answered: int = KEYS_PER_CALL) -> None:
        self.items = items
        self.answered = answered
        self.asked: list[list[str]] = []

    def call(self, service: str, operation: str, arguments: Mapping[str, Any], *, deadline: float) -> dict[str, Any]:
        assert (service, operation) == ("DynamoDB", "BatchGetItem")
        assert deadline > 0
        ((table, request),) = arguments["RequestItems"].items()
        keys = [key["pattern"]["S"] for key in request["Keys"]]
        assert len(keys) == len(set(keys)) <= KEYS_PER_CALL
        self.asked.append(keys)
        now, later = keys[: self.answered], keys[self.answered :]
        items = [{"pattern": {"S": key}, "list": {"S": self.items[key]}} for key in now if key in self.items]
        unprocessed = {table: {"Keys": [{"pattern": {"S": key}} for key in later]}} if later else {}
        return {"Responses": {table: items}, "UnprocessedKeys": unprocessed}


@pytest.fixture
def new_lists(monkeypatch: pytest.MonkeyPatch) -> Any:
    def new(items: Mapping[str, str], **options: Any) -> Lists:
        lists = Lists(items, **options)
        monkeypatch.setattr(allow_or_block, "call", lists.call)
        monkeypatch.setattr(allow_or_block, "_FIRST_WAIT_S", 0.0)
        return lists

    return new


def decided(event: Any = None, **changes: Any) -> set[str]:
    message = one_message(event=event)
    run(message, **{**ARGUMENTS, **changes})
    return set(actions(message).values())


CASES = [
    ({}, {"carol@example.net"}, "BOUNCE"),
    ({}, {"example.net"}, "BOUNCE"),
    ({}, {"*.example.net"}, "BOUNCE"),
    ({}, {"*.net"}, "BOUNCE"),
    ({}, {"*"}, "BOUNCE"),
    ({}, {"dave@example.net", "sub.example.net", "*.sub.example.net", "net"}, "MOVE_TO_JUNK"),
    ({"carol@example.net"}, {}, "BYPASS_SPAM_CHECK"),
    ({"*"}, {"carol@example.net"}, "BYPASS_SPAM_CHECK"),
    ({}, {}, "MOVE_TO_JUNK"),
]


@pytest.mark.fact("F4")
@pytest.mark.parametrize(("allow", "block", "action"), CASES)
def test_packed_lists_and_those_in_a_table_decide_the_same(
    allow: set[str], block: set[str], action: str, new_lists: Any
) -> None:
    assert decided(allow=packed(allow), block=packed(block)) == {action}
    new_lists({**dict.fromkeys(block, "BLOCK"), **dict.fromkeys(allow, " allow ")})
    assert decided(table="Lists") == {action}


def packed(patterns: Any) -> dict[str, Any]:
    return {
        "addresses": tuple(each for each in patterns if "@" in each),
        "domains": tuple(each for each in patterns if "@" not in each and "*" not in each),
        "wildcards": tuple(each[2:] for each in patterns if each.startswith("*.")),
        "anybody": "*" in patterns,
    }


@pytest.mark.parametrize(("wins", "action"), [("ALLOW", "BYPASS_SPAM_CHECK"), ("BLOCK", "BOUNCE")])
@pytest.mark.parametrize(("allow", "block"), [("*", "carol@example.net"), ("carol@example.net", "*")])
def test_the_list_that_wins_does_so_however_specific_its_pattern_is(
    wins: str, action: str, allow: str, block: str
) -> None:
    assert decided(wins=wins, allow=packed({allow}), block=packed({block})) == {action}


@pytest.mark.fact("E3")
@pytest.mark.parametrize(
    ("allow", "block", "action"),
    [
        ({"carol@example.net"}, set(), "MOVE_TO_JUNK"),
        ({"assistant@example.net"}, set(), "MOVE_TO_JUNK"),
        ({"example.net"}, set(), "BYPASS_SPAM_CHECK"),
        (set(), {"carol@example.net"}, "BOUNCE"),
        (set(), {"assistant@example.net"}, "BOUNCE"),
        ({"carol@example.net"}, {"assistant@example.net"}, "BOUNCE"),
    ],
)
def test_on_behalf_of_another_one_is_enough_to_be_blocked_and_not_to_be_allowed(
    allow: set[str], block: set[str], action: str
) -> None:
    event = new_event(sender={"address": "assistant@example.net"})
    assert decided(event, allow=packed(allow), block=packed(block)) == {action}


def test_each_recipient_gets_a_decision_of_its_own() -> None:
    message = one_message()
    run(message, **{**ARGUMENTS, "whose": "RECIPIENTS", "block": packed({"bob@example.com"})})
    assert actions(message) == {"alice@example.com": "MOVE_TO_JUNK", "bob@example.com": "BOUNCE"}


@pytest.mark.fact("E6")
def test_recipients_that_the_event_leaves_out_cannot_be_looked_up() -> None:
    event = new_event(truncated=True)
    with pytest.raises(StepError, match="leaves recipients out"):
        decided(event, whose="RECIPIENTS", block=packed({"bob@example.com"}))
    assert decided(event, block=packed({"*"})) == {"BOUNCE"}


def test_no_decision_leaves_the_outcome_as_it_is() -> None:
    assert decided(otherwise=None) == {"DEFAULT"}


def test_a_null_sender_is_on_the_list_of_everybody_only(new_lists: Any) -> None:
    event = new_event(envelope={"mailFrom": {"address": ""}, "recipients": [{"address": "alice@example.com"}]})
    lists = new_lists({"*": "BLOCK"})
    run(message := one_message(event=event), **ARGUMENTS, table="Lists")
    assert lists.asked == [["*"]]
    assert message.notes == ["on list BLOCK", "BOUNCE for 1 recipients"]


def test_one_call_asks_for_every_pattern_that_can_match(new_lists: Any) -> None:
    lists = new_lists({})
    decided(new_event(sender={"address": "Bob@Sub.Example.NET"}), table="Lists")
    assert [sorted(asked) for asked in lists.asked] == [
        [
            *("*", "*.example.net", "*.net", "*.sub.example.net"),
            *("bob@sub.example.net", "carol@example.net", "example.net", "sub.example.net"),
        ]
    ]


def test_what_dynamodb_did_not_get_to_is_asked_for_again(new_lists: Any) -> None:
    lists = new_lists({"*.net": "BLOCK"}, answered=2)
    assert decided(table="Lists") == {"BOUNCE"}
    assert [len(asked) for asked in lists.asked] == [5, 3, 1]


def test_dynamodb_that_never_answers_ends_with_the_time(new_lists: Any) -> None:
    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 700

    new_lists({}, answered=0)
    with pytest.raises(OutOfTimeError):
        decided(new_event(context=Context()), table="Lists")


def test_many_recipients_are_looked_up_by_the_hundred(new_lists: Any) -> None:
    recipients = [{"address": f"user{number}@example.com"} for number in range(500)]
    event = new_event(envelope={"mailFrom": {"address": "c@example.net"}, "recipients": recipients})
    lists = new_lists({"user499@example.com": "BLOCK"})
    message = one_message(event=event)
    run(message, **{**ARGUMENTS, "whose": "RECIPIENTS", "table": "Lists"})
    assert [len(asked) for asked in lists.asked] == [100, 100, 100, 100, 100, 4]
    assert message.notes[-1] == "BOUNCE for 1 recipients"


def test_an_item_of_neither_list_is_a_failure(new_lists: Any) -> None:
    new_lists({"example.net": "BLCOK"})
    with pytest.raises(StepError, match="neither ALLOW nor BLOCK") as caught:
        decided(table="Lists")
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["a@" + "x." * 400 + "example", "a\ud800@example.net", "a\n@example.net", "@", "a@"]
)
def test_addresses_that_no_pattern_can_be_are_not_asked_for(address: str, new_lists: Any) -> None:
    lists = new_lists({})
    decided(new_event(envelope={"mailFrom": {"address": address}, "recipients": [{"address": "a@b"}]}), table="Lists")
    assert lists.asked == [["*"]]


DOMAIN = st.lists(st.sampled_from(["a", "b", "xn--bcher-kva", "bücher"]), min_size=1, max_size=4).map(".".join)
PATTERN = st.one_of(
    st.just("*"), DOMAIN, DOMAIN.map("*.{}".format), DOMAIN.map("x@{}".format), DOMAIN.map("Y@{}".format)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATTERN, max_size=4), st.sampled_from(["x", "y", "X"]), DOMAIN)
def test_a_table_and_the_domains_own_patterns_agree(
    new_lists: Any, written: list[str], mailbox: str, domain: str
) -> None:
    patterns = [Pattern.parse(text) for text in written]
    prefixes = {"wildcard domain": "*.", "any": "*"}
    new_lists({prefixes.get(pattern.kind, "") + pattern.key: "BLOCK" for pattern in patterns})
    address = f"{mailbox}@{domain}"
    event = new_event(envelope={"mailFrom": {"address": address}, "recipients": [{"address": "alice@example.com"}]})
    message = one_message(event=event)
    run(message, **ARGUMENTS, table="Lists")
    expected = "BLOCK" if any(pattern.matches(address) for pattern in patterns) else None
    assert message.notes[0] == (f"on list {expected}" if expected else "on no list")
