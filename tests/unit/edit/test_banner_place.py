"""A banner stands first in whatever a mail program chooses to show."""

from __future__ import annotations

import pytest

from tests.unit.edit.judges import leaves_by_stdlib, shown_by_html5lib, shown_by_lexbor
from tests.unit.edit.make_corpus import IMAGE, PAGE, PLAIN, html_body, multipart, part
from workmail_runtime.edit import MessageEditor

HEADER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n"
AMP = part("text/x-amp-html; charset=utf-8", "<!doctype html><html amp4email><body>x</body></html>")
STARTED = part("image/png", "AAAA", "Content-ID: <start>")
HTML_FILE = part("text/html", "<p>Hello", "Content-Disposition: attachment; filename=a.html")


def edited(rest: str) -> bytes:
    editor = MessageEditor(HEADER + rest.encode())
    editor.add_banner("Banner")
    editor.add_footer("Footer")
    return bytes(editor.to_bytes())


@pytest.mark.parametrize(
    "document",
    [
        "<div hidden><body></div>EVIL",
        "<template><body></template>EVIL",
        "<style/><body></style>EVIL",
        "<!--><body>EVIL",
        "<html><body>EVIL",
        "Above the page<html><body>EVIL</body></html>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x.dtd">\r\n<html><body>EVIL',
        '<?xml version="1.0" encoding="utf-8"?>\r\n<!doctype html>\r\n<html><body hidden>EVIL',
        "<!doctype html [<div hidden>]>EVIL",
        "<!doctype html '><div hidden>EVIL",
        "<frameset><frame></frameset>",
        "<head><title>EVIL",
        "\ufeff<!doctype html><p>EVIL",
        "",
    ],
)
def test_html_shows_the_banner_first(document: str) -> None:
    result = leaves_by_stdlib(edited(html_body(document)))[0].content.decode("utf-8-sig")
    for shown in (shown_by_html5lib, shown_by_lexbor):
        assert shown(result).startswith("Banner")


def test_a_document_type_stays_first_so_that_the_page_keeps_its_layout() -> None:
    content = leaves_by_stdlib(edited(html_body("<!doctype html><p>Hello")))[0].content
    assert content.startswith(b"<!doctype html>\r\n<div>Banner</div>\r\n<p>Hello")


def test_a_declared_character_set_stays_within_reach() -> None:
    raw = HEADER + b'Content-Type: text/html\r\n\r\n<html><head><meta charset="utf-8"></head><p>\xc3\xbc\r\n'
    editor = MessageEditor(raw)
    editor.add_banner("long\n" * 300)
    assert b'\r\n\r\n<meta charset="utf-8">\r\n<div>long' in editor.to_bytes()


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        (multipart("alternative", "a", PLAIN, multipart("related", "r", IMAGE, PAGE)),
         ["text/plain +", "text/plain only", "image/png", "text/html +"]),
        (multipart("alternative", "a", PLAIN, IMAGE), ["text/plain +", "text/plain only", "image/png"]),
        (multipart("alternative", "a", PLAIN, HTML_FILE), ["text/plain +", "text/html +"]),
        (multipart("alternative", "a", PLAIN, part("text/enriched", "x")),
         ["text/plain +", "text/plain only", "text/enriched"]),
        (multipart("alternative", "a", PLAIN, AMP, PAGE), ["text/plain +", "text/x-amp-html +", "text/html +"]),
        (multipart("mixed", "m", AMP, PLAIN), ["text/plain only", "text/x-amp-html", "text/plain +"]),
        (multipart("related", "r", PAGE, STARTED, more='; start="<start>"'),
         ["text/plain only", "text/html +", "image/png"]),
        (multipart("related", "r", HTML_FILE, IMAGE), ["text/html +", "image/png"]),
        (multipart("mixed", "m", IMAGE, PLAIN), ["text/plain only", "image/png", "text/plain +"]),
        (multipart("mixed", "m", PLAIN, PAGE), ["text/plain +", "text/html +"]),
        (multipart("mixed", "m", PAGE, PLAIN, PAGE), ["text/html +", "text/plain +", "text/html"]),
        (multipart("x-unknown", "m", IMAGE, PAGE), ["text/plain only", "image/png", "text/html +"]),
        (multipart("report", "m", part("text/rfc822-headers", "A: b"), PLAIN),
         ["text/plain only", "text/rfc822-headers", "text/plain +"]),
        (multipart("report", "m", PLAIN, part("text/rfc822-headers", "A: b")), ["text/plain +", "text/rfc822-headers"]),
    ],
)  # fmt: skip
def test_every_part_that_may_be_shown_first_has_the_banner(rest: str, shown: list[str]) -> None:
    marked = [leaf.content_type + _mark(leaf.text) for leaf in leaves_by_stdlib(edited(rest))]
    assert [leaf for leaf in marked if leaf != "text/plain footer"] == shown


def _mark(text: str) -> str:
    return {"Banner": " only", "Footer": " footer", "Banner Footer": " only"}.get(
        text, " +" if "Banner" in text else ""
    )


@pytest.mark.parametrize(
    "label", ["utf-16", "utf-7", "ibm037", "raw_unicode_escape", "x-unknown", "iso-2022-kr", "punycode"]
)
@pytest.mark.parametrize("content_type", ["text/plain", "text/html"])
def test_a_text_in_a_character_set_that_is_not_of_mail_is_not_written_into(label: str, content_type: str) -> None:
    raw = edited(part(f"{content_type}; charset={label}", "\\u0042anner Hello &#66;anner"))
    first, second, third = leaves_by_stdlib(raw)
    assert (first.text, third.text) == ("Banner", "Footer")
    assert second.content_type == content_type


def test_a_wide_text_that_says_otherwise_is_not_written_into() -> None:
    for bom in ("\ufeff".encode("utf-16-le"), "\ufeff".encode("utf-16-be")):
        raw = (
            HEADER
            + b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + bom
            + b"<\0p\0"
        )
        editor = MessageEditor(raw)
        editor.add_banner("Banner")
        assert leaves_by_stdlib(bytes(editor.to_bytes()))[0].text == "Banner"
