"""`FindSensitive` as a plain function."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rules.running import conversation_of, inbound, outbound, printed, step
from workmail_rules import message_texts
from workmail_rules.find_sensitive import run
from workmail_rules.run_steps import run_steps
from workmail_rules.step_errors import StepError

CARD = b"4111 1111-1111 1111"
IBAN = b"DE89 3704 0044 0532 0130 00"
BOUNCE = {"action": "BOUNCE", "text": "No."}
PATTERNS = {"project": "(?i)project x+"}


def mail(body: bytes) -> bytes:
    return b"From: alice@example.com\r\nTo: carol@example.net\r\nSubject: Agenda\r\n\r\n" + body + b"\r\n"


def look(body: bytes, *, event: Any = None, **changes: Any) -> tuple[dict[str, Any], Any]:
    """Run the step; return the reply and the conversation."""
    configuration = {
        "cards": True,
        "ibans": True,
        "patterns": PATTERNS,
        "decision": BOUNCE,
        "tag": None,
        "reviewers": (),
        **changes,
    }
    conversation = conversation_of(event or outbound("carol@example.net", "dave@example.net"), mail(body))
    conversation.put = lambda: None  # type: ignore[method-assign]
    reply = run_steps(conversation, [step(run, name="FindSensitive", must=True, configuration=configuration)])
    return reply.to_dict(), conversation


def types_of(reply: dict[str, Any]) -> list[str]:
    return [action["action"]["type"] for action in reply["actions"]]


@pytest.mark.parametrize("secret", [CARD, IBAN, b"PROJECT xx"])
def test_what_is_sensitive_is_refused_for_all_recipients(secret: bytes) -> None:
    reply, conversation = look(b"see " + secret)
    assert types_of(reply) == ["BOUNCE"]
    assert conversation.outcomes.left == ()


def test_other_mail_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    reply, _ = look(b"see 4111 1111 1111 1112")
    assert types_of(reply) == ["DEFAULT"]
    assert all("Found" not in line for line in printed(capsys))


@pytest.mark.parametrize("off", [{"cards": False}, {"ibans": False}, {"patterns": {}}])
def test_only_what_is_asked_for_is_looked_for(off: dict[str, Any]) -> None:
    secret = {"cards": CARD, "ibans": IBAN, "patterns": b"project x"}[next(iter(off))]
    reply, _ = look(secret, **off)
    assert types_of(reply) == ["DEFAULT"]


@pytest.mark.usefixtures("in_lambda")
def test_kinds_and_counts_are_logged_and_never_what_was_found(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    look(CARD + b" and " + IBAN + b" for Project X")
    out = capsys.readouterr().out
    assert "found: card, iban, project" in out
    assert '"Found":1' in out.replace(" ", "")
    for secret in ("4111", "DE89", "3704", "Project X", "Agenda", "carol"):
        assert secret not in out + caplog.text


@pytest.mark.fact("R6")
def test_a_tagged_message_goes_on_with_a_copy_to_the_reviewer() -> None:
    reply, conversation = look(CARD, decision=None, tag="[SENSITIVE]", reviewers=("security@example.net",))
    assert conversation.editor.subject == "[SENSITIVE] Agenda"
    assert types_of(reply) == ["DEFAULT"]
    assert [action["recipients"] for action in reply["actions"]] == [["security@example.net"]]
    reply, conversation = look(b"nothing", decision=None, tag="[SENSITIVE]", reviewers=("security@example.net",))
    assert conversation.editor.subject == "Agenda"
    assert "security" not in str(reply)


def test_it_looks_at_inbound_mail_as_well() -> None:
    reply, _ = look(CARD, event=inbound("alice@example.com"))
    assert types_of(reply) == ["BOUNCE"]


def test_more_text_than_is_read_fails_the_step_unless_something_was_found_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_texts, "MAX_BYTES", 1_000)
    with pytest.raises(StepError, match="more text than"):
        look(b"x" * 2_000 + CARD)
    reply, _ = look(CARD + b"x" * 2_000)
    assert types_of(reply) == ["BOUNCE"]
