"""No edit makes a part: what is written is never the delimiter of a multipart around it."""

from __future__ import annotations

import pytest

from tests.unit.edit.judges import require_same_parts_by_all
from tests.unit.edit.make_corpus import multipart, part
from workmail_runtime.edit import EditRefusal, EditRefusedError, MessageEditor, check_message

HEADER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
FORGED = "--B\r\nContent-Type: text/html\r\n\r\n<h1>EVIL</h1>\r\n"


def require_kept(raw: bytes, *, banner: str, footer: str = "Füßer") -> None:
    editor = MessageEditor(raw)
    editor.add_banner(banner)
    editor.add_footer(footer)
    once = bytes(editor.to_bytes())
    banner, footer = " ".join(banner.split()), " ".join(footer.split())
    require_same_parts_by_all(raw, once, own={banner, footer, f"{banner} {footer}"})
    assert check_message(once, original=raw) == ()


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "text/html; charset=utf-8", "text/plain"])
@pytest.mark.parametrize("width", range(60, 80))
def test_a_wrapped_line_is_no_delimiter(width: int, content_type: str) -> None:
    raw = HEADER + multipart("mixed", "B", part(content_type, "x" * width + FORGED)).encode()
    require_kept(raw, banner="Vorsicht: von außen")
    require_kept(raw, banner="word " * 400)


@pytest.mark.parametrize("banner", ["--B", "--B--", "one\n--B\nContent-Type: text/html\n\ntwo", "--Bü", "--B" * 400])
@pytest.mark.parametrize("body", [part("text/plain", "Hello"), part("text/html", "<p>--C"), part("image/png", "AAAA")])
def test_a_line_of_the_banner_is_no_delimiter(banner: str, body: str) -> None:
    require_kept(HEADER + multipart("mixed", "B", body).encode(), banner=banner, footer=banner)
    nested = multipart("mixed", "B", multipart("alternative", "C", body, part("text/html", "<p>Hello")))
    require_kept(HEADER + nested.encode(), banner=banner, footer=banner)


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "text/html; charset=utf-8"])
def test_what_stands_behind_a_byte_order_mark_does_not_become_a_line(content_type: str) -> None:
    raw = HEADER + multipart("mixed", "B", part(content_type, "\ufeff" + FORGED)).encode()
    require_kept(raw, banner="Banner")


def test_a_text_that_another_character_set_turns_into_a_delimiter() -> None:
    body = (
        part("text/plain; charset=iso-8859-1", "", "Content-Transfer-Encoding: 8bit").encode()
        + b"Gr\xfc\xdfe\r\n--\xfc"
    )
    raw = (
        HEADER
        + b'Content-Type: multipart/mixed; boundary="\xc3\xbc"\r\n\r\n--\xc3\xbc\r\n'
        + body
        + b"\r\n--\xc3\xbc--\r\n"
    )
    editor = MessageEditor(raw)
    editor.add_banner("завтра")
    assert bytes(editor.to_bytes()).count(b"--\xc3\xbc") == raw.count(b"--\xc3\xbc")


def test_a_new_boundary_begins_as_none_around_it() -> None:
    for boundary in "0123456789abcdef":
        inner = multipart("alternative", "C", part("text/plain", "Hello"), part("image/png", "AAAA"))
        require_kept(HEADER + multipart("mixed", boundary, inner).encode(), banner="Banner")


@pytest.mark.parametrize(
    ("boundary", "behind"),
    [("x", "--x\r\n\r\nmore\r\n--x--"), ("x; boundary=y", ""), ("x; boundary*=''y", ""), ("x; boundary*0=y", "")],
)
def test_a_structure_that_programs_read_in_two_ways_is_refused(boundary: str, behind: str) -> None:
    body = (
        f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--x\r\n\r\na\r\n--x--\r\n--y\r\n\r\nb\r\n--y--\r\n"
    )
    with pytest.raises(EditRefusedError) as refused:
        MessageEditor(HEADER + (body + behind).encode()).add_banner("Banner")
    assert refused.value.reason is EditRefusal.MALFORMED_MULTIPART
