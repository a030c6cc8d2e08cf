"""Random sequences of steps: the reply is one that WorkMail takes, and says what a simple model says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.running import conversation_of, inbound, outbound, step
from workmail_flow.address import address_key
from workmail_flow.judge_reply import judge_reply
from workmail_flow.vocabulary import FlowDirection
from workmail_rules import StepError
from workmail_rules.condition import Condition
from workmail_rules.run_steps import run_steps

if TYPE_CHECKING:
    from workmail_rules import Message

NAMES = [f"{letter}@example.com" for letter in "abcdefgh"]
UNSEEN = ["unseen1@example.com", "unseen2@example.com"]
"""Recipients that a truncated event leaves out."""

FINAL = {"BOUNCE", "DROP"}
ACTIONS = {
    FlowDirection.INBOUND: ["BOUNCE", "DROP", "DEFAULT", "MOVE_TO_JUNK", "BYPASS_SPAM_CHECK"],
    FlowDirection.OUTBOUND: ["BOUNCE", "DROP", "DEFAULT"],
}


@st.composite
def decided(draw: st.DrawFn, direction: FlowDirection) -> dict[str, Any]:
    """One step: whom it is for, what it decides for how many of them, whom it copies, and whether it then fails."""
    return {
        "for": draw(st.none() | st.sets(st.sampled_from(NAMES))),
        "action": draw(st.sampled_from(ACTIONS[direction])),
        "text": draw(st.sampled_from([f"No, for reason {index}." for index in range(14)])),
        "some": draw(st.booleans()),
        "copies": draw(st.lists(st.sampled_from(["audit@example.com", "Audit@EXAMPLE.com", *NAMES]), max_size=2)),
        "fails": draw(st.booleans()),
    }


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    direction = draw(st.sampled_from(FlowDirection))
    return {
        "direction": direction,
        "recipients": draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)),
        "truncated": draw(st.booleans()),
        "steps": draw(st.lists(decided(direction), max_size=16)),
    }


def run_of(case: dict[str, Any]) -> Any:
    """Return the function of a step."""

    def run(message: Message) -> None:
        chosen = message.recipients[::2] if case["some"] else None
        message.decide(case["action"], text=case["text"] if case["action"] == "BOUNCE" else None, recipients=chosen)
        message.copy_to(case["copies"])
        if case["fails"]:
            raise StepError("failed")

    return run


def modelled(case: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """The outcome of each address, by the rules of docs/steps: one loop per step, and no clever reply."""
    unseen = UNSEEN if case["truncated"] else []
    outcomes: dict[str, tuple[str, str | None]] = dict.fromkeys([*case["recipients"], *unseen], ("DEFAULT", None))
    added: list[str] = []
    for each in case["steps"]:
        left = [name for name, (action, _) in outcomes.items() if action not in FINAL]
        named = [name for name in left if name not in unseen and (each["for"] is None or name in each["for"])]
        rest = [name for name in left if name in unseen] if each["for"] is None else []
        if not left or not (named or rest) or each["fails"]:
            continue
        text = each["text"] if each["action"] == "BOUNCE" else None
        outcomes |= dict.fromkeys(named[::2] if each["some"] else [*named, *rest], (each["action"], text))
        added += map(address_key, each["copies"])
    return {**dict.fromkeys(added, ("DEFAULT", None)), **outcomes}


def bounded(outcomes: dict[str, tuple[str, str | None]]) -> set[tuple[str, str]]:
    """The actions without the texts, which a reply of more than ten actions shares (R7)."""
    return {(name, action) for name, (action, _) in outcomes.items()}


@pytest.mark.fact("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9", "E6", "R11")
@given(cases())
def test_the_reply_is_valid_and_says_what_the_model_says(case: dict[str, Any]) -> None:
    new_event = inbound if case["direction"] is FlowDirection.INBOUND else outbound
    event = new_event(*case["recipients"], truncated=case["truncated"])
    steps = [
        step(
            run_of(each),
            name=f"step{index}",
            condition=Condition(recipients=None if each["for"] is None else {"addresses": sorted(each["for"])}),
        )
        for index, each in enumerate(case["steps"])
    ]
    reply = run_steps(conversation_of(event), steps)
    verdict = judge_reply(
        reply.to_dict(),
        direction=case["direction"],
        recipients=[*case["recipients"], *(UNSEEN if case["truncated"] else [])],
        organization_domains=["example.com"],
    )
    expected = modelled(case)
    found = {address_key(each.recipient): (each.action.value, each.bounce_message) for each in verdict.decisions}
    texts = {text for _, text in expected.values() if text}
    assert (verdict.errors, verdict.findings) == ((), ())
    assert bounded(found) == bounded(expected)
    # Up to the limit, every bounce has its own text.
    assert len(texts) > 6 or found == expected


@pytest.mark.fact("R7")
def test_bounces_past_the_tenth_action_get_the_first_text() -> None:
    names = [f"{index}@example.com" for index in range(12)]
    steps = [
        step(
            lambda message: message.bounce(f"Reason {message.recipients[0]}"),
            name=name,
            condition=Condition(recipients={"addresses": [name]}),
        )
        for name in names
    ]
    reply = run_steps(conversation_of(inbound(*names, "last@example.com")), steps)
    verdict = judge_reply(reply.to_dict(), direction=FlowDirection.INBOUND, recipients=[*names, "last@example.com"])
    texts = [each.bounce_message for each in verdict.decisions]
    assert (verdict.errors, len(reply.to_dict()["actions"])) == ((), 9)
    assert texts == [*(f"Reason {name}" for name in names[:8]), *["Reason 0@example.com"] * 4, None]


@pytest.mark.fact("R8")
def test_the_longest_reply_is_below_its_limit() -> None:
    names = [f"{'a' * 200}{index}@{'b' * 40}.example" for index in range(500)]
    steps = [
        step(
            lambda message: message.bounce(f"{message.recipients[0][-15:]}\0" + "\1" * 984),
            name=f"step{index}",
            condition=Condition(recipients={"addresses": names[index::10]}),
        )
        for index in range(10)
    ]
    reply = run_steps(conversation_of(inbound(*names)), steps)
    size = len(json.dumps(reply.to_dict()).encode())
    verdict = judge_reply(reply.to_dict(), direction=FlowDirection.INBOUND, recipients=names, size=size)
    assert (verdict.errors, {each.action for each in verdict.decisions}) == ((), {"BOUNCE"})


def test_an_address_that_a_reply_cannot_name_gets_what_all_get() -> None:
    others = Condition(recipients={"domains": ["example.com"]})
    drop = step(lambda message: message.drop(), name="drop", condition=others)
    reply = run_steps(conversation_of(inbound("odd address", "a@example.com", "b@example.com")), [drop])
    verdict = judge_reply(
        reply.to_dict(), direction=FlowDirection.INBOUND, recipients=["odd address", "a@example.com", "b@example.com"]
    )
    assert [each.action for each in verdict.decisions] == ["DEFAULT", "DROP", "DROP"]
