"""`Banner` as a plain function: placeholders, hostile values, and always on top."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.edit.judges import shown_by_html5lib, shown_by_lexbor
from tests.unit.edit.make_corpus import messages
from tests.unit.rules.messages import alternative, new_message, plain, result, shown
from workmail_rules import banner
from workmail_rules.filled_text import MAX_VALUE
from workmail_runtime.edit import EditRefusedError

BANNER = "From outside, sent by {sender} of {sender_domain}."


def test_plain_text_and_html_get_it_and_markup_is_derived_from_the_text() -> None:
    message = new_message(alternative("Hello", "<p>Hello</p>"))
    banner.run(message, text="Care & <attention>\nfor {sender}", html=None)
    raw = result(message)

    assert shown(raw).startswith("Care & <attention>\nfor eve@example.net\n\nHello")
    assert shown_by_html5lib(shown(raw, "html")).startswith("Care & <attention> for eve@example.net Hello")
    assert message.notes == ["added"]


def test_plain_text_is_derived_from_markup() -> None:
    message = new_message(alternative("Hello", "<p>Hello</p>"))
    banner.run(message, text=None, html="<p><b>Care</b> for &lt;{sender}&gt;</p><ul><li>one</li><li>two</li></ul>")
    raw = result(message)

    assert shown(raw).startswith("Care for <eve@example.net>\n\none\ntwo\n\nHello")
    assert "<p><b>Care</b> for &lt;<bdi>eve@example.net</bdi>&gt;</p>" in shown(raw, "html")


@pytest.mark.fact("E5")
def test_subject_and_date_are_filled() -> None:
    message = new_message(plain("Hello"), subject="Lunch?")
    banner.run(message, text="{subject} ({date})", html=None)
    assert shown(result(message)).startswith("Lunch? (2026-06-01 10:00+02:00)\n")


@pytest.mark.parametrize(
    ("header", "filled"),
    [(b"Mon, 1 Jun 2026 10:00:00 +0200", "2026-06-01 10:00+02:00"), (b"Monday", "-"), (b"1 Jun 99999999", "-")],
)
def test_a_date_that_is_none_shows_as_empty(header: bytes, filled: str) -> None:
    raw = plain("Hello").replace(b"Mon, 01 Jun 2026 10:00:00 +0200", header)
    message = new_message(raw)
    banner.run(message, text="{date}.", html=None)
    assert shown(result(message)).startswith(f"{filled}.\n")


def test_a_bounce_has_no_sender() -> None:
    message = new_message(plain("Hello"), mail_from="", subject="")
    banner.run(message, text="{sender} {sender_domain} {subject}", html=None)
    assert shown(result(message)).startswith("- - -\n")


@pytest.mark.parametrize(
    "value",
    [
        "two\r\nlines\u2028three",
        "\u202egnp.exe",
        "zero\u200bwidth",
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{sender}{sender_domain}",
        "Zal" + "\u0300" * 50 + "go",
        "\ud800 surrogate",
        "a" * 5000,
    ],
)
def test_a_hostile_value_stays_one_line_of_text(value: str) -> None:
    message = new_message(alternative("Hello", "<p>Hello</p>"), subject=value)
    banner.run(message, text="Before {subject} behind", html="<b>Before {subject} behind</b>")
    raw = result(message)
    line = shown(raw).partition("\n")[0]

    assert line.startswith("Before ")
    assert line.endswith(" behind")
    assert len(line) <= len("Before  behind") + MAX_VALUE
    assert line.isprintable()
    assert line.count("\u0300") <= 3
    for reader in (shown_by_html5lib, shown_by_lexbor):
        assert reader(shown(raw, "html")) == f"{line} Hello"


def test_a_long_address_keeps_the_end_that_says_where_it_is_from() -> None:
    message = new_message(plain("Hello"), mail_from=f"{'bank.example.' * 30}@evil.example")
    banner.run(message, text="{sender}", html=None)
    line = shown(result(message)).partition("\n")[0]
    assert (len(line), line[0], line.endswith("@evil.example")) == (MAX_VALUE, "…", True)


def test_a_value_from_right_to_left_does_not_turn_the_text_around_it() -> None:
    message = new_message(alternative("Hello", "<p>Hello</p>"), subject="\u05e9\u05dc\u05d5\u05dd")
    banner.run(message, text="Before {subject} behind", html=None)
    raw = result(message)
    assert "Before \u2068\u05e9\u05dc\u05d5\u05dd\u2069 behind" in shown(raw)
    assert "<bdi>\u05e9\u05dc\u05d5\u05dd</bdi>" in shown(raw, "html").replace(
        "&#1513;&#1500;&#1493;&#1501;", "\u05e9\u05dc\u05d5\u05dd"
    )


def test_braces_around_something_else_are_text() -> None:
    message = new_message(alternative("Hello", "<p>Hello</p>"))
    banner.run(message, text="{x} {", html="<style>p{color:red}</style><p>{ sender }</p>")
    raw = result(message)
    assert shown(raw).startswith("{x} {\n")
    assert "<style>p{color:red}</style><p>{ sender }</p>" in shown(raw, "html")


@given(st.text(max_size=200))
def test_no_value_writes_markup(value: str) -> None:
    message = new_message(alternative("Hello", "<p>Hello</p>"), subject=value)
    banner.run(message, text="[{subject}]", html="<p>[{subject}]</p>")
    document = shown(result(message), "html")
    assert shown_by_html5lib(document) == shown_by_lexbor(document)
    assert shown_by_html5lib(document).endswith("] Hello")
    assert document.count("<p>") == 2


@pytest.mark.fact("E7")
def test_a_retry_on_the_updated_message_adds_nothing_and_another_invocation_does() -> None:
    text = "{sender} {subject} {date}"
    first = new_message(plain("Hello"))
    banner.run(first, text=text, html=None)
    updated = result(first)
    retry = new_message(updated)
    banner.run(retry, text=text, html=None)
    other = new_message(updated, invocation="f" * 32)
    banner.run(other, text=text, html=None)

    assert result(retry) == updated
    assert retry.notes == ["added by an earlier attempt"]
    assert other.notes == ["added"]


def test_a_sender_who_writes_the_banner_does_not_keep_it_away() -> None:
    text = "From outside."
    html = f"<div>{text}</div><p>Hello</p>"
    message = new_message(alternative(f"{text}\n\nHello", html))
    banner.run(message, text=text, html=None)
    raw = result(message)
    assert shown(raw).startswith(f"{text}\n\n{text}\n\nHello")
    assert shown_by_html5lib(shown(raw, "html")) == f"{text} {text}Hello"


def test_an_encrypted_message_is_refused_and_stays_as_it_came() -> None:
    raw = messages()["encrypted-pgp"]
    message = new_message(raw)
    with pytest.raises(EditRefusedError):
        banner.run(message, text="From outside.", html=None)
    assert result(message) == raw
