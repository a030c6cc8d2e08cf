"""Edits on damaged and on forged messages: what they promise, judged by other parsers."""

from __future__ import annotations

import base64
import binascii
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.edit.judges import (
    file_names,
    leaves_by_stdlib,
    require_same_parts_by_all,
    shown_by_html5lib,
    shown_by_lexbor,
)
from tests.unit.edit.make_corpus import messages
from tests.unit.edit.reading import INVOCATION, files, other_headers, read, texts
from workmail_runtime.edit import EditRefusedError, MessageEditor, check_message
from workmail_runtime.edit.check_message import _long_line, check_edited

MESSAGES = messages()
many = settings(max_examples=3 * settings.default.max_examples)
PARTS_OF_MAIL = [
    *[b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--", b"--alt", b"--alt--", b"--mix", b"--mix--", b";", b'"', b"(", b"\\"],
    *[b"Content-Type: multipart/mixed; boundary=mix\r\n", b"Content-Transfer-Encoding: base64\r\n", b"=\r\n"],
    *[b"<body>", b"</body>", b"<!--", b"<script>", b"<![CDATA[", b"&#", b"Subject: =?utf-8?b?4pi6?="],
    *[b"charset*0*=utf-16''x", b"charset=raw_unicode_escape", b"\x1b$B", b"\xff\xfe", b"\0", b"From x\n"],
    *[b"; filename=a.exe", b"Content-Disposition: attachment; filename*=''b.exe\r\n", b"X-WorkMail-Edit: x\r\n"],
]
BANNER, FOOTER = "Banner ü", "Footer"
OWN = {BANNER, FOOTER, f"{BANNER} {FOOTER}", ""}

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=60).filter(
    lambda text: bool(text.strip())
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message of the corpus with a few pieces cut out, doubled or put in."""
    message = bytearray(draw(st.sampled_from(sorted(MESSAGES.values()))))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(message)))
        end = min(len(message), start + draw(st.integers(0, 40)))
        message[start:end] = draw(st.sampled_from([b"", bytes(message[start:end]) * 2, *PARTS_OF_MAIL]))
    return bytes(message)


def edit(raw: bytes, *, prefix: str = "[EXT]", banner: str = BANNER, footer: str = FOOTER) -> bytes:
    return bytes(editor_of(raw, prefix=prefix, banner=banner, footer=footer).to_bytes())


def editor_of(raw: bytes, *, prefix: str = "[EXT]", banner: str = BANNER, footer: str = FOOTER) -> MessageEditor:
    editor = MessageEditor(raw, invocation_id=INVOCATION)
    for operation, text in ((editor.prefix_subject, prefix), (editor.add_banner, banner), (editor.add_footer, footer)):
        before = editor.to_bytes()
        try:
            operation(text)
        except EditRefusedError:
            assert editor.to_bytes() == before
    return editor


@given(st.one_of(damaged(), st.binary(max_size=400), st.lists(st.sampled_from(PARTS_OF_MAIL)).map(b"".join)))
def test_whatever_comes_is_edited_once_or_kept(raw: bytes) -> None:
    once = edit(raw)
    assert edit(once) == once
    assert check_message(raw) or not check_message(once, original=raw)


@st.composite
def long_lines(draw: st.DrawFn) -> bytes:
    """Lines about as long as they may be, some of which look like something else."""
    lengths = st.sampled_from([0, 1, 10, 500, 997, 998, 999, 1000, 1001, 2500])
    endings = st.sampled_from([b"\r\n", b"\n", b"\r", b""])
    return b"".join(
        b"x" * draw(lengths) + draw(st.sampled_from([b"", *PARTS_OF_MAIL])) + draw(endings)
        for _ in range(draw(st.integers(1, 6)))
    )


@given(st.one_of(st.sampled_from(sorted(MESSAGES.values())), damaged()), long_lines(), st.integers(0, 40))
def test_an_edited_message_is_checked_as_if_it_were_joined(raw: bytes, lines: bytes, kept: int) -> None:
    # Behind the header, or at the end of the first part.
    at = raw.find(b"\r\n--alt", raw.find(b"--alt") + 1) if len(lines) % 2 else raw.find(b"\r\n\r\n") + 4
    raw = raw[:at] + lines + raw[at:]
    editor = editor_of(raw)
    with patch("workmail_runtime.edit.message_editor._KEPT_OF_BODY", kept):
        assert check_edited(editor, original=raw) == check_message(editor.to_bytes(), original=raw)


@given(long_lines(), st.lists(st.integers(0, 9_000), max_size=6))
def test_a_long_line_is_found_in_pieces(lines: bytes, cuts: list[int]) -> None:
    ends = [*sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    starts = [0, *ends[:-1]]
    pieces = [(lines, start, end) for start, end in zip(starts, ends, strict=True) if start < end]
    assert _long_line(pieces) == long_line(lines)


def long_line(raw: bytes) -> int | None:
    start = 0
    for line in raw.split(b"\n"):
        is_last = start + len(line) == len(raw)
        if len(line if is_last else line.removesuffix(b"\r")) > 998:
            return start
        start += len(line) + 1
    return None


@given(st.sampled_from(sorted(MESSAGES)), words, words, words)
def test_any_words_on_any_shape(name: str, prefix: str, banner: str, footer: str) -> None:
    raw = MESSAGES[name]
    once = edit(raw, prefix=prefix, banner=banner, footer=footer)
    assert edit(once, prefix=prefix, banner=banner, footer=footer) == once
    assert files(once) == files(raw)
    assert other_headers(once) == other_headers(raw)
    assert check_message(once, original=raw) == check_message(raw)


@settings(max_examples=30)  # the standard library takes its time to read a subject
@given(words, words)
def test_the_parse_of_the_result_is_the_edit_of_the_parse(prefix: str, banner: str) -> None:
    raw = MESSAGES["mixed-alternative-attachment"]
    once = edit(raw, prefix=prefix, banner=banner)
    assert " ".join(str(read(once)["Subject"]).split()) == " ".join(f"{prefix} Quarterly figures".split())
    shown = " ".join(banner.split())
    for (_, before), (_, now) in zip(texts(raw), texts(once), strict=True):
        assert now == f"{shown} {before} Footer"


# --- the structure: no edit makes, hides or changes a part

HEADER = "From: a@example.org\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
BOUNDARIES = ["B", "Banner", "-", "--", "---------", "=_edit", "0", "a b", "x" * 70, "Banner =C3=BC"]
CHARSETS = ["us-ascii", "utf-8", "iso-8859-1", "windows-1252", "iso-2022-jp", "gb2312", "x-unknown", "utf-16"]


@st.composite
def bodies(draw: st.DrawFn, boundaries: list[str]) -> bytes:
    """Text that becomes a part of its own as soon as a line is wrapped, decoded or moved."""
    boundary = draw(st.sampled_from(boundaries or BOUNDARIES))
    forged = f"--{boundary}\r\nContent-Type: text/html\r\n\r\n<h1>EVIL</h1>"
    pieces = draw(
        st.lists(
            st.one_of(
                st.integers(60, 80).map(lambda count: "x" * count + forged),
                st.sampled_from([forged, f"--{boundary}--", "\r\n", "é", "=", "=\r\n", " ", ".", "-", "\ufeff", "<p>"]),
                st.integers(0, 200).map(lambda count: "-" * count),
            ),
            max_size=5,
        )
    )
    text = "".join(pieces).replace("\r\n", "\n").split("\n")
    # Where a line is a delimiter already, the message has another structure from the start.
    kept = [" " + line if line.startswith("--") else line for line in text]
    return "\r\n".join(kept).encode("utf-8" if draw(st.booleans()) else "latin-1", "replace")


def encoded(content: bytes, transfer_encoding: str) -> bytes:
    if transfer_encoding == "base64":
        return base64.encodebytes(content).replace(b"\n", b"\r\n")
    if transfer_encoding == "quoted-printable":
        lines = binascii.b2a_qp(content, istext=True).split(b"\n")
        return b"\n".join(b"=2D" + line[1:] if line.startswith(b"-") else line for line in lines)
    return content


@st.composite
def parts(draw: st.DrawFn, around: tuple[str, ...] = ()) -> bytes:
    """A part, with its header, for a place inside these boundaries."""
    left = [boundary for boundary in BOUNDARIES if not any(map(boundary.startswith, around))]
    left = [boundary for boundary in left if not any(other.startswith(boundary) for other in around)]
    if left and draw(st.integers(0, 2 + len(around))) < 2:
        boundary = draw(st.sampled_from(left))
        kind = draw(st.sampled_from(["mixed", "alternative", "related", "report", "x-unknown", "signed"]))
        inner = draw(st.lists(parts((*around, boundary)), min_size=1, max_size=3))
        delimiter = f"--{boundary}\r\n".encode()
        head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
        return head + b"".join(delimiter + part + b"\r\n" for part in inner) + f"--{boundary}--".encode()
    content_type = draw(st.sampled_from(["text/plain", "text/html", "text/html", "image/png", "text/enriched"]))
    transfer_encoding = draw(st.sampled_from(["7bit", "8bit", "quoted-printable", "base64"]))
    fields = [
        f"Content-Type: {content_type}; charset={draw(st.sampled_from(CHARSETS))}",
        f"Content-Transfer-Encoding: {transfer_encoding}",
        *draw(
            st.sampled_from([[], [], ["Content-Disposition: attachment; filename=a"], ["Content-Disposition: inline"]])
        ),
    ]
    return "\r\n".join([*fields, "", ""]).encode() + encoded(draw(bodies(list(around))), transfer_encoding)


@many
@given(parts())
def test_an_edit_makes_no_part_and_loses_none(part: bytes) -> None:
    raw = HEADER.encode() + part + b"\r\n"
    once = edit(raw)
    require_same_parts_by_all(raw, once, own=OWN)
    assert edit(once) == once


@given(damaged())
def test_an_edit_of_a_damaged_message_makes_no_part_and_loses_none(raw: bytes) -> None:
    require_same_parts_by_all(raw, edit(raw), own=OWN)


# --- what a reader sees

OPENED = [
    *["<!--", "<!-->", "<!--->", "<a href='", '<a href="', "<a href=", "<a", "<", "<script>", "<script><!--<script>"],
    *["<style>", "<title>", "<textarea>", "<xmp>", "<iframe>", "<noembed>", "<noframes>", "<select>", "<template>"],
    *["<!doctype", "</a", "<?", "<![CDATA[", "<table>", "<table><tr><td>", "&amp", "&#", "<p>", "<svg>", "<math>"],
]
HTML_PIECES = [
    *OPENED,
    *["<div hidden>", "</div>", "<body>", "</body>", "<body class=x>", "<html>", "</html>", "<head>", "</head>", "-->"],
    *["<style/>", "</style>", "</script>", "</title>", "</template>", "<template><body></template>", ">", "'", '"'],
    *["<!doctype html>", '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x.dtd">', "<!doctype html ['>']>"],
    *['<?xml version="1.0"?>', "<frameset>", "<svg><desc>", "<meta charset=utf-7>", "<meta charset=utf-16>", "--B"],
    *[
        "EVIL",
        " ",
        "\n",
        "\ufeff",
        "\0",
        "<plaintext>",
        "<noscript>",
        "<base>",
        "<col>",
        "<caption>",
        "<!-- <body> -->",
    ],
]


@st.composite
def html_messages(draw: st.DrawFn, pieces: list[str], ends: list[str]) -> bytes:
    document = "".join(draw(st.lists(st.sampled_from(pieces), max_size=8))) + draw(st.sampled_from(ends))
    transfer_encoding = draw(st.sampled_from(["8bit", "quoted-printable", "base64"]))
    charset = draw(st.sampled_from(["utf-8", "us-ascii", "iso-2022-jp"]))
    fields = f"Content-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: {transfer_encoding}\r\n\r\n"
    return (HEADER + fields).encode() + encoded(document.encode(), transfer_encoding)


@many
@given(html_messages(HTML_PIECES, ends=[""]))
def test_a_banner_is_the_first_thing_a_reader_sees(raw: bytes) -> None:
    document = leaves_by_stdlib(edit(raw))[0].content.decode("utf-8", "replace")
    for shown in (shown_by_html5lib, shown_by_lexbor):
        assert shown(document.removeprefix("\ufeff")).startswith(BANNER)


@many
@given(html_messages(["EVIL", "<p>", " ", "\n", "<html>", "<body>", "</body>", "</html>"], ends=OPENED))
def test_a_footer_is_seen_behind_whatever_was_left_open(raw: bytes) -> None:
    document = leaves_by_stdlib(edit(raw))[0].content.decode("utf-8", "replace")
    for shown in (shown_by_html5lib, shown_by_lexbor):
        assert FOOTER in shown(document)


# --- looking


@given(st.one_of(damaged(), parts().map(HEADER.encode().__add__)))
def test_looking_finds_what_other_parsers_find(raw: bytes) -> None:
    editor = MessageEditor(raw)
    found = {_in_ascii(name) for part in (*editor.attachments, *editor.parts) for name in part.filenames}
    assert {_in_ascii(name) for name in file_names(raw)} <= found
    assert isinstance(editor.subject, str | None)
    assert sum(len(part.content()) for part in editor.parts) >= 0


def _in_ascii(name: str) -> str:
    """What parsers agree on where the character set of a name is unknown."""
    return "".join(character for character in name if "!" <= character <= "~")


@pytest.mark.parametrize("size", [1, 2])
def test_time_grows_with_the_message_and_not_faster(size: int) -> None:
    nested = b"From: a@example.org\r\n"
    for level in range(60 * size):
        nested += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    many = b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=-\r\n\r\n" + b"---x\r\n" * 20_000 * size
    comments = b"From: a@example.org\r\nContent-Type: text/html" + b"(" * 20_000 * size + b"\r\n\r\n<!--" * 10_000
    for raw in (nested, many, comments):
        assert edit(raw) == raw or b"Banner" in edit(raw)
