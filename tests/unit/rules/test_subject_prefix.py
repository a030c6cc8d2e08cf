"""`SubjectPrefix` as a plain function."""

from __future__ import annotations

import pytest

from tests.unit.edit.make_corpus import messages
from tests.unit.rules.messages import new_message, parsed, plain, result
from workmail_rules import subject_prefix
from workmail_runtime.edit import EditRefusedError


def _subject(raw: bytes) -> str:
    return str(parsed(raw)["Subject"]).strip()


@pytest.mark.parametrize("marker", ["Re: ", "RE: ", "AW: ", "Fwd: ", "SV: "])
def test_a_conversation_has_it_once(marker: str) -> None:
    subject = "Hello"
    for turn in range(5):
        message = new_message(plain("Hello", subject=subject), invocation=f"{turn:032}")
        subject_prefix.run(message, prefix="[EXT]")
        subject = marker + _subject(result(message))
        assert subject.count("[EXT]") == 1


def test_another_domain_gets_its_own() -> None:
    subject = "Hello"
    for sender in ("eve@example.net", "eve@example.net", "bob@example.org"):
        message = new_message(plain("Hello", subject=subject), mail_from=sender)
        subject_prefix.run(message, prefix="[{sender_domain}]")
        subject = "Re: " + _subject(result(message))
    assert subject == "Re: [example.org] Re: Re: [example.net] Hello"


def test_a_subject_out_of_sight_does_not_keep_it_away() -> None:
    message = new_message(plain("Hello", subject=f"Hello {'x' * 60} [EXT]"))
    subject_prefix.run(message, prefix="[EXT]")
    assert _subject(result(message)).startswith("[EXT] Hello")
    assert message.notes == ["added"]


@pytest.mark.parametrize("domain", ["evil.example\r\nBcc: x@evil.example", "\u202emoc.elpmaxe", "=?utf-8?q?x?="])
def test_a_hostile_domain_stays_in_the_subject(domain: str) -> None:
    message = new_message(plain("Hello"), mail_from=f"eve@{domain}")
    subject_prefix.run(message, prefix="[{sender_domain}]")
    found = parsed(result(message))
    assert found["Bcc"] is None
    assert str(found["Subject"]).isprintable()
    assert str(found["Subject"]).endswith("] Hello")


@pytest.mark.fact("E7")
def test_a_retry_on_the_updated_message_adds_nothing() -> None:
    first = new_message(plain("Hello"))
    subject_prefix.run(first, prefix="[{sender_domain}]")
    retry = new_message(result(first))
    subject_prefix.run(retry, prefix="[{sender_domain}]")
    assert result(retry) == result(first)
    assert retry.notes == ["there already"]


def test_an_encrypted_message_gets_it_and_a_malformed_one_is_refused() -> None:
    encrypted = new_message(messages()["encrypted-pgp"])
    subject_prefix.run(encrypted, prefix="[EXT]")
    assert _subject(result(encrypted)).startswith("[EXT]")
    malformed = new_message(messages()["broken-no-closing"])
    with pytest.raises(EditRefusedError):
        subject_prefix.run(malformed, prefix="[EXT]")
