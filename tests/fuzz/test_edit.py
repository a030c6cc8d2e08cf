"""Edits on messages nobody made on purpose: no crash, no endless loop, and the promises hold where they are edited."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.edit.make_corpus import messages
from tests.unit.edit.reading import INVOCATION, files, other_headers, read, texts
from workmail_runtime.edit import EditRefusedError, MessageEditor, check_message

MESSAGES = messages()
PARTS_OF_MAIL = [
    *[b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--", b"--alt", b"--alt--", b"--mix", b"--mix--", b";", b'"', b"(", b"\\"],
    *[b"Content-Type: multipart/mixed; boundary=mix\r\n", b"Content-Transfer-Encoding: base64\r\n", b"=\r\n"],
    *[b"<body>", b"</body>", b"<!--", b"<script>", b"<![CDATA[", b"&#", b"Subject: =?utf-8?b?4pi6?="],
    *[b"charset*0*=utf-16''x", b"\x1b$B", b"\xff\xfe", b"\0"],
]

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


def edit(raw: bytes, *, prefix: str = "[EXT]", banner: str = "Banner ü", footer: str = "Footer") -> bytes:
    editor = MessageEditor(raw, invocation_id=INVOCATION)
    for operation, text in ((editor.prefix_subject, prefix), (editor.add_banner, banner), (editor.add_footer, footer)):
        before = editor.to_bytes()
        try:
            operation(text)
        except EditRefusedError:
            assert editor.to_bytes() == before
    return bytes(editor.to_bytes())


@given(st.one_of(damaged(), st.binary(max_size=400), st.lists(st.sampled_from(PARTS_OF_MAIL)).map(b"".join)))
def test_whatever_comes_is_edited_once_or_kept(raw: bytes) -> None:
    once = edit(raw)
    assert edit(once) == once
    if not check_message(raw):
        assert check_message(once, original=raw) == ()


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


@pytest.mark.parametrize("size", [1, 2])
def test_time_grows_with_the_message_and_not_faster(size: int) -> None:
    nested = b"From: a@example.org\r\n"
    for level in range(60 * size):
        nested += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    many = b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=-\r\n\r\n" + b"---x\r\n" * 20_000 * size
    comments = b"From: a@example.org\r\nContent-Type: text/html" + b"(" * 20_000 * size + b"\r\n\r\n<!--" * 10_000
    for raw in (nested, many, comments):
        assert edit(raw) == raw or b"Banner" in edit(raw)
