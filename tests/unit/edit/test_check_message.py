"""What WorkMail would reject (C8), and what it takes."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.unit.edit.make_corpus import messages
from workmail_runtime.edit import MessageEditor, ProblemCode, check_message
from workmail_runtime.edit.check_message import check_edited

pytestmark = pytest.mark.fact("C8")
PLAIN = messages()["plain-7bit"]


def codes(raw: bytes, original: bytes | None = None) -> list[ProblemCode]:
    return [problem.code for problem in check_message(raw, original=original)]


@pytest.mark.parametrize(
    ("length", "eol", "found"),
    [
        (998, b"\r\n", []),
        (999, b"\r\n", [ProblemCode.LINE_TOO_LONG]),
        (998, b"\n", []),
        (999, b"\n", [ProblemCode.LINE_TOO_LONG]),
    ],
)
@pytest.mark.parametrize("after", [b"", b"short\r\n", b"x" * 500])
def test_lines(length: int, eol: bytes, found: list[ProblemCode], after: bytes) -> None:
    assert codes(PLAIN + b"short" + eol + b"y" * length + eol + after) == found


@pytest.mark.fact("F16")
def test_size() -> None:
    assert codes(PLAIN + b"a line\r\n" * 5_300_000) == [ProblemCode.TOO_LARGE]


def test_headers() -> None:
    assert codes(PLAIN.replace(b"From:", b"X-From:")) == [ProblemCode.MISSING_HEADER]
    assert codes(PLAIN.replace(b"Subject:", b"Subject: x\r\nSubject:")) == [ProblemCode.REPEATED_HEADER]
    assert codes(PLAIN.replace(b"Date: Mon", b"Date: Tue"), PLAIN) == [ProblemCode.CHANGED_HEADER]
    assert codes(PLAIN.replace(b"Received:", b"X-Received:"), PLAIN) == [ProblemCode.CHANGED_HEADER]
    assert codes(PLAIN, PLAIN) == []


@pytest.mark.parametrize("filename", ["a.exe", "A.PDF.Js", "=?utf-8?q?a=2Evbs?="])
def test_attachments(filename: str) -> None:
    raw = messages()["mixed-attachment"].replace(b"filename=a.pdf", f'filename="{filename}"'.encode())
    assert codes(raw) == [ProblemCode.BLOCKED_ATTACHMENT]


def test_malformed_and_several_at_once() -> None:
    raw = messages()["broken-no-closing"]
    assert codes(raw) == [ProblemCode.MALFORMED]
    assert codes(raw + b"x" * 2_000) == [ProblemCode.LINE_TOO_LONG, ProblemCode.MALFORMED]
    assert "x" * 100 not in str(check_message(raw + b"x" * 2_000)[0])


def test_a_view_and_text_beyond_ascii_are_taken() -> None:
    assert check_message(memoryview(messages()["plain-latin1-8bit"])) == ()


@pytest.mark.fact("F16")
def test_an_edited_message_is_not_joined() -> None:
    raw = PLAIN + b"A line of a long text.\r\n" * 400_000
    editor = MessageEditor(raw)
    editor.prefix_subject("[EXT]")
    tracemalloc.start()
    try:
        assert check_edited(editor, original=raw) == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.1 * len(raw)


def test_what_is_left_out_of_a_body_makes_no_delimiter_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = messages()["mixed-attachment"]
    end = raw.rindex(b"\r\n--mix\r\n")
    raw = raw[:end] + b"\r\nx--mix--" * 30 + raw[end:]
    for kept in range(40):
        monkeypatch.setattr("workmail_runtime.edit.message_editor._KEPT_OF_BODY", kept)
        editor = MessageEditor(raw)
        editor.prefix_subject("[EXT]")
        assert len(editor.outline()) < len(raw)
        assert check_edited(editor, original=raw) == check_message(raw) == ()
