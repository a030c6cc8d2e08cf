from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.load_event import load_event
from workmail_runtime import (
    DirectionError,
    InboundEvent,
    InboundReply,
    OutboundEvent,
    Reply,
    ReplyError,
    SynchronousEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BOB, CAROL = "bob@corp.example", "carol@corp.example"


@pytest.fixture
def inbound() -> InboundReply:
    return InboundEvent.parse(load_event("inbound")).reply


@pytest.fixture
def outbound() -> Reply:
    return OutboundEvent.parse(load_event("outbound")).reply


def _action(name: str, **rest: Any) -> dict[str, Any]:
    return {"action": {"type": name}, **rest}


@pytest.mark.fact("R1", "R4")
@pytest.mark.parametrize(
    ("build", "action"),
    [
        (lambda reply: reply.drop_for_all(), _action("DROP", allRecipients=True)),
        (lambda reply: reply.default_for_all(), _action("DEFAULT", allRecipients=True)),
        (lambda reply: reply.move_to_junk_for_all(), _action("MOVE_TO_JUNK", allRecipients=True)),
        (lambda reply: reply.bypass_spam_check_for_all(), _action("BYPASS_SPAM_CHECK", allRecipients=True)),
        (lambda reply: reply.drop(BOB), _action("DROP", recipients=[BOB])),
        (lambda reply: reply.default([BOB, CAROL]), _action("DEFAULT", recipients=[BOB, CAROL])),
        (lambda reply: reply.move_to_junk((BOB,)), _action("MOVE_TO_JUNK", recipients=[BOB])),
        (lambda reply: reply.bypass_spam_check({BOB}), _action("BYPASS_SPAM_CHECK", recipients=[BOB])),
    ],
)
def test_one_action(inbound: InboundReply, build: Callable[[InboundReply], Reply], action: dict[str, Any]) -> None:
    assert build(inbound).to_dict() == {"actions": [action]}


@pytest.mark.fact("R3")
def test_bounce(inbound: InboundReply) -> None:
    bounce = {"type": "BOUNCE", "parameters": {"bounceMessage": "No."}}
    assert inbound.bounce(BOB, message="No.").to_dict() == {"actions": [{"action": bounce, "recipients": [BOB]}]}
    assert inbound.bounce_for_all(message="No.").to_dict() == {"actions": [{"action": bounce, "allRecipients": True}]}


@pytest.mark.parametrize("message", [None, 1, b"No."])
def test_a_bounce_message_is_a_string(inbound: InboundReply, message: Any) -> None:
    with pytest.raises(ReplyError, match=r"BOUNCE: the message is a .*; it must be a string"):
        inbound.bounce_for_all(message=message)


def test_a_bounce_message_can_be_encoded(inbound: InboundReply) -> None:
    with pytest.raises(ReplyError, match="lone surrogate"):
        inbound.bounce_for_all(message="\ud800")


def test_equal_actions_become_one(inbound: InboundReply) -> None:
    reply = inbound.drop(BOB).drop(CAROL).drop(BOB).drop_for_all().drop_for_all()
    assert reply.to_dict() == {"actions": [_action("DROP", recipients=[BOB, CAROL], allRecipients=True)]}


def test_methods_leave_the_reply_as_it_is(inbound: InboundReply) -> None:
    inbound.drop_for_all()
    assert inbound.to_dict() == {"actions": []}


def test_no_recipients_no_action(inbound: InboundReply) -> None:
    assert inbound.drop([]).bounce([], message="No.") == inbound


def test_replies_are_equal_by_value() -> None:
    assert InboundReply().drop(BOB) == InboundReply().drop(BOB) != InboundReply().drop(CAROL)


@pytest.mark.fact("R11")
def test_two_actions_for_one_recipient(inbound: InboundReply) -> None:
    with pytest.raises(ReplyError, match="DEFAULT: 1 of the recipients have DROP already"):
        inbound.drop(BOB).default(BOB.upper())
    with pytest.raises(ReplyError, match="BOUNCE: 1 of the recipients have BOUNCE already"):
        inbound.bounce(BOB, message="No.").bounce(BOB, message="Never.")
    with pytest.raises(ReplyError, match="DEFAULT: DROP is for all recipients already"):
        inbound.drop_for_all().default_for_all()


@pytest.mark.fact("R6")
def test_only_add_bcc_adds_recipients(inbound: InboundReply) -> None:
    with pytest.raises(ReplyError, match=r"DEFAULT: recipients\[1\] is not a recipient of this .*add_bcc") as raised:
        inbound.default([BOB, "archive@corp.example"])
    assert "@" not in str(raised.value)
    assert inbound.add_bcc("archive@corp.example").to_dict() == {
        "actions": [_action("DEFAULT", recipients=["archive@corp.example"])]
    }


def test_recipients_are_known_in_any_spelling(inbound: InboundReply) -> None:
    assert inbound.drop("Bob@Corp.Example").to_dict() == {"actions": [_action("DROP", recipients=["Bob@Corp.Example"])]}


@pytest.mark.fact("E6")
def test_any_recipient_of_a_truncated_event_can_be_named() -> None:
    reply = InboundEvent.parse(load_event("truncated")).reply.drop("unseen@corp.example")
    assert reply.to_dict() == {"actions": [_action("DROP", recipients=["unseen@corp.example"])]}


def test_any_recipient_of_a_bare_reply_can_be_named() -> None:
    assert Reply().drop(BOB).to_dict() == {"actions": [_action("DROP", recipients=[BOB])]}


@pytest.mark.parametrize(
    "recipient", ["", "bob", "@corp.example", "bob@", "bo b@corp.example", "bob@corp.example\r\nX:"]
)
def test_a_recipient_is_an_address(recipient: str) -> None:
    with pytest.raises(
        ReplyError, match=r"DROP: recipients\[0\] must be an address like mailbox@example.com"
    ) as raised:
        Reply().drop(recipient)
    assert "corp" not in str(raised.value)


def test_a_recipient_is_a_string() -> None:
    with pytest.raises(ReplyError, match=r"DROP: recipients\[0\] is a NoneType; it must be an address"):
        Reply().drop([None])  # type: ignore[list-item]


@pytest.mark.fact("R7")
def test_ten_actions_at_most() -> None:
    reply = Reply()
    for number in range(10):
        reply = reply.bounce(f"user{number}@corp.example", message=f"No {number}.")
    assert len(reply.to_dict()["actions"]) == 10
    reply.bounce("again@corp.example", message="No 9.")
    with pytest.raises(ReplyError, match="DROP: this is the eleventh action of the reply, and 10 are allowed"):
        reply.drop_for_all()


@pytest.mark.fact("R9")
def test_500_outbound_recipients_at_most(outbound: Reply) -> None:
    others = [f"user{number}@partner.example" for number in range(499)]
    assert len(outbound.add_bcc(others).to_dict()["actions"][0]["recipients"]) == 499
    with pytest.raises(ReplyError, match="DEFAULT: with it there are 501 recipients; an outbound reply may have 500"):
        outbound.add_bcc([*others, "one.more@partner.example"])


@pytest.mark.fact("R2")
@pytest.mark.parametrize(
    "method", ["move_to_junk", "move_to_junk_for_all", "bypass_spam_check", "bypass_spam_check_for_all"]
)
def test_an_outbound_reply_has_no_spam_action(outbound: Reply, method: str) -> None:
    message = f"{method}: the message's direction is OUTBOUND, .* allowed here are BOUNCE, DROP, DEFAULT"
    with pytest.raises(DirectionError, match=message):
        getattr(outbound, method)
    assert not hasattr(outbound, method)


def test_an_unknown_direction_can_be_declared() -> None:
    reply = SynchronousEvent.parse(load_event("edition_oldest")).reply
    with pytest.raises(
        DirectionError, match=r"direction is not known, .*declare the handler with @synchronous_inbound"
    ):
        reply.move_to_junk_for_all()  # type: ignore[attr-defined]


def test_other_names_are_simply_not_there(outbound: Reply) -> None:
    with pytest.raises(AttributeError, match="Reply has no attribute 'quarantine'"):
        outbound.quarantine()  # type: ignore[attr-defined]


def test_printing_shows_no_address(inbound: InboundReply) -> None:
    reply = inbound.drop([BOB, CAROL]).bounce_for_all(message="alice@partner.example may not write here")
    assert repr(reply) == "InboundReply(DROP: 2, BOUNCE: 0 and all)"
