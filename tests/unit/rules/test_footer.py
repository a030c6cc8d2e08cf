"""`Footer` as a plain function: once, however often mail goes to and fro."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.edit.judges import shown_by_html5lib
from tests.unit.edit.make_corpus import messages
from tests.unit.rules.messages import alternative, new_message, plain, result, shown
from tests.unit.rules.replies import PROGRAMS, Program
from workmail_rules import footer
from workmail_runtime.edit import EditRefusedError

TEXT = (
    "This message may hold confidential information - it is meant for those it is addressed to, and for nobody else.\n"
    "Example Ltd, 1 Example Street"
)
MARKUP = (
    "<hr><p>This message may hold <b>confidential</b> information - it is meant for those it is addressed to, and for "
    'nobody else.<br>\n<a href="https://example.com/">Example Ltd</a>, 1 Example Street</p>'
)
PROGRAM = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


@PROGRAM
@pytest.mark.parametrize("html", [None, MARKUP], ids=["derived", "given"])
def test_a_conversation_shows_it_once(program: Program, html: str | None) -> None:
    text_body, html_body = "Hello Eve", "<div>Hello Eve</div>"
    for turn in range(4):
        out = new_message(alternative(text_body, html_body), outbound=True, invocation=f"{turn:032}")
        footer.run(out, text=TEXT, html=html, repeat=False)
        raw = result(out)
        for kind in ("plain", "html"):
            body = shown(raw, kind) if kind == "plain" else shown_by_html5lib(shown(raw, kind))
            assert _words(body).count("confidential information") == 1, turn
        # Eve answers, and then Ann does, each with everything below.
        for own in ("Hello Ann", "Hello again"):
            text_body, html_body = program(shown(raw).strip(), shown(raw, "html"), own)
            raw = alternative(text_body, html_body)


@PROGRAM
def test_repeat_adds_one_to_each(program: Program) -> None:
    first = new_message(alternative("Hello", "<div>Hello</div>"), outbound=True)
    footer.run(first, text=TEXT, html=None, repeat=True)
    raw = result(first)
    reply = alternative(*program(shown(raw), shown(raw, "html"), "Again"))
    second = new_message(reply, outbound=True, invocation="f" * 32)
    footer.run(second, text=TEXT, html=None, repeat=True)
    assert _words(shown(result(second))).count("confidential information") == 2


@PROGRAM
def test_a_sender_outside_cannot_keep_it_away(program: Program) -> None:
    first = new_message(alternative("Hello", "<div>Hello</div>"), outbound=True)
    footer.run(first, text=TEXT, html=None, repeat=False)
    raw = result(first)
    inbound = new_message(alternative(*program(shown(raw), shown(raw, "html"), "Hi")))
    footer.run(inbound, text=TEXT, html=None, repeat=False)
    assert inbound.notes == ["added"]


@pytest.mark.parametrize(
    "body",
    [
        "Greetings from Example Ltd",  # in the middle of a line
        "Example Ltd London",
        "example",
    ],
)
def test_the_same_words_elsewhere_are_no_footer(body: str) -> None:
    message = new_message(plain(body), outbound=True)
    footer.run(message, text="Example Ltd", html=None, repeat=False)
    assert message.notes == ["added"]


def test_a_footer_that_one_alternative_lacks_is_added() -> None:
    message = new_message(alternative(f"Hello\n\n{TEXT}", "<p>Hello</p>"), outbound=True)
    footer.run(message, text=TEXT, html=None, repeat=False)
    assert message.notes == ["added"]
    assert "confidential" in shown(result(message), "html")


def test_a_hidden_footer_is_not_shown() -> None:
    html = f'<p>Hello</p><div style="color:red; display : none">{TEXT}</div>'
    message = new_message(alternative(f"Hello\n\n{TEXT}", html), outbound=True)
    footer.run(message, text=TEXT, html=None, repeat=False)
    assert message.notes == ["added"]


def test_a_footer_without_words_is_always_added() -> None:
    message = new_message(plain("Hello\n\n***"), outbound=True)
    footer.run(message, text="***", html=None, repeat=False)
    assert message.notes == ["added"]


@pytest.mark.fact("E7")
def test_a_retry_on_the_updated_message_adds_nothing() -> None:
    first = new_message(plain("Hello"))
    footer.run(first, text="By {sender}", html=None, repeat=False)
    updated = result(first)
    retry = new_message(updated)
    footer.run(retry, text="By {sender}", html=None, repeat=False)
    assert result(retry) == updated


def test_an_encrypted_message_is_refused_and_stays_as_it_came() -> None:
    raw = messages()["encrypted-smime"]
    message = new_message(raw, outbound=True)
    with pytest.raises(EditRefusedError):
        footer.run(message, text=TEXT, html=None, repeat=False)
    assert result(message) == raw


@given(st.binary(max_size=2000))
def test_whatever_a_body_is_it_is_looked_at(body: bytes) -> None:
    raw = b"From: a@example.com\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body.replace(b"\r", b"")
    message = new_message(raw, outbound=True)
    footer.run(message, text=TEXT, html=None, repeat=False)
    assert message.notes == ["added"]
