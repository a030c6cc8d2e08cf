"""What a sender can do to crash an edit, to make it last, or to keep a banner out of sight."""

from __future__ import annotations

import pytest

from tests.unit.edit.make_corpus import multipart, part
from tests.unit.edit.reading import INVOCATION, read, texts
from workmail_runtime.edit import EditRefusal, EditRefusedError, MessageEditor

HEADER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n"


def edited(rest: str | bytes) -> bytes:
    editor = MessageEditor(HEADER + (rest if isinstance(rest, bytes) else rest.encode()))
    editor.prefix_subject("[EXT]")
    editor.add_banner("Banner ü")
    editor.add_footer("Footer")
    return bytes(editor.to_bytes())


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Type: text/plain" + b" " * 500_000 + b"x\r\n",
        b"Content-Type: text/plain; name" + b"".join(b";\r\n name*%d=x" % number for number in range(40_000)) + b"\r\n",
        b"Subject:" + b" re:" * 250_000 + b"\r\n",
        b"Subject: x\r\n" + b" =?punycode?q?zzzzzzzzaaaaaaaaaaaaaaaa?=\r\n" * 20_000,
    ],
    ids=["spaces", "continuations", "replies", "punycode"],
)
def test_a_large_field_takes_no_more_than_its_size(fields: bytes) -> None:
    assert b"Subject: [EXT]" in edited(fields + b"\r\nHello\r\n")  # minutes, where it grew with the square


def test_a_continuation_number_without_end() -> None:
    assert b"Footer" in edited("Content-Type: text/plain; name*" + "9" * 5_000 + "=x\r\n\r\nHello\r\n")


def test_a_word_is_not_the_prefix_it_begins_with() -> None:
    editor = MessageEditor(HEADER + b"Subject: External audit\r\n\r\n", invocation_id=INVOCATION)
    assert editor.prefix_subject("EXT")
    assert editor.subject == "EXT External audit"
    assert not MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).prefix_subject("EXT")


def test_a_delimiter_padded_beyond_a_line_is_refused() -> None:
    raw = HEADER + multipart("mixed", "mix", part("text/plain", "a"), part("text/plain", "b")).encode()
    editor = MessageEditor(raw.replace(b"--mix\r\n", b"--mix" + b" " * 2_000 + b"\r\n"), invocation_id=INVOCATION)
    with pytest.raises(EditRefusedError) as refused:
        editor.add_banner("Banner")
    assert refused.value.reason is EditRefusal.MALFORMED_MULTIPART


def test_the_banner_stands_above_a_text_before_the_alternative() -> None:
    alternative = multipart("alternative", "alt", part("text/plain", "a"), part("text/html", "<p>a</p>"))
    shown = [text for _, text in texts(edited(multipart("mixed", "mix", part("text/plain", "lure"), alternative)))]
    assert shown == ["Banner ü lure", "Banner ü a Footer", "Banner ü a Footer"]


@pytest.mark.parametrize("broken", ["(oops", 'name="oops'])
def test_a_mark_keeps_the_character_set(broken: str) -> None:
    raw = HEADER + f"Subject: Re: x\r\nContent-Type: text/plain; charset=utf-8; {broken}\r\n\r\nGrüße\r\n".encode()
    editor = MessageEditor(raw, invocation_id=INVOCATION)
    editor.add_footer("Füßer")
    once = bytes(editor.to_bytes())
    assert read(once).get_content_charset() == "utf-8"
    assert texts(once)[0][1] == "Grüße Füßer"
    assert not MessageEditor(once, invocation_id=INVOCATION).add_footer("Füßer")


def test_a_decoded_parameter_makes_no_header_line() -> None:
    fields = "Content-Type: text/plain; charset*=''us-ascii; name*=''a%0D%0AX-Evil:%20b\r\n"
    assert b"\nX-Evil" not in edited(fields + "\r\nHello\r\n")


def test_a_prefix_is_found_before_a_broken_character() -> None:
    editor = MessageEditor(HEADER + b"Subject: =?utf-8?q?cut_=F0=9F?=\r\n\r\n", invocation_id=INVOCATION)
    assert editor.prefix_subject("[Außen]")
    assert not MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).prefix_subject("[Außen]")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (multipart("mixed", "mix", *[part("text/plain", "a")] * 2_000), EditRefusal.TOO_MANY_PARTS),
        (
            "".join(f"Content-Type: multipart/mixed; boundary={n}x\r\n\r\n--{n}x\r\n" for n in range(51))
            + "\r\n"
            + "".join(f"\r\n--{n}x--" for n in reversed(range(51))),
            EditRefusal.TOO_DEEP,
        ),
    ],
    ids=["parts", "depth"],
)
def test_a_structure_that_would_take_long_is_refused(body: str, reason: EditRefusal) -> None:
    with pytest.raises(EditRefusedError) as refused:
        edited(body)
    assert refused.value.reason is reason
