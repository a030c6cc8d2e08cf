"""An edit is made once for each invocation, whatever the sender wrote and whatever the message is in."""

from __future__ import annotations

import pytest

from tests.unit.edit.judges import leaves_by_stdlib
from tests.unit.edit.make_corpus import messages, part
from tests.unit.edit.reading import INVOCATION
from workmail_runtime.edit import Attachment, MessageEditor

MESSAGES = messages()
HEADER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n"
BANNER = "Banner & more"


def edited(raw: bytes, invocation_id: str | None = INVOCATION) -> bytes:
    editor = MessageEditor(raw, invocation_id=invocation_id)
    editor.prefix_subject("[EXT]")
    editor.add_banner(BANNER)
    editor.add_footer("Footer")
    return bytes(editor.to_bytes())


@pytest.mark.fact("E7", "C4")
@pytest.mark.parametrize(
    "raw",
    [
        part("text/plain; charset=raw_unicode_escape", "Hello"),
        part("text/plain; charset=utf-7", "Hello +AGE-"),
        part("text/plain; charset=iso-2022-kr", "\x1b$)C\x0eabcd"),
        part("text/plain; charset=iso-2022-jp", "\x1b$B"),
        part("text/html", "Hello &#"),
        part("text/html", "Hello <"),
        part("text/plain; charset=utf-16", "AEIAYwA=", "Content-Transfer-Encoding: base64"),
        part("text/plain; format=flowed", " Hello \r\n"),
        part("multipart/x-unknown; boundary=x", "--x\r\n\r\nHello\r\n--x--"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"From x\n", b"From x\r\n"])
def test_a_retry_changes_nothing(raw: str, before: bytes) -> None:
    once = edited(before + HEADER + raw.encode())
    assert edited(once) == once
    assert len(leaves_by_stdlib(once)[0].text) < 2_000


def test_a_sender_cannot_make_an_edit_seem_done() -> None:
    seen_before = edited(MESSAGES["alternative"])
    forged = edited(MESSAGES["alternative"], invocation_id="another")
    for raw in (seen_before, forged):
        again = edited(raw, invocation_id="f" * 32)
        assert [leaf.text.count("Banner &") for leaf in leaves_by_stdlib(again)] == [2, 2]


@pytest.mark.parametrize(
    ("subject", "has_it"),
    [
        ("Re: AW: [list] [EXT] hello", True),
        ("[a] [b] [c] [d] [e] [f] [g] [h] [i] [j] [EXT]", False),
        ("Re: " * 20 + "[EXT]", False),
        ("[\u202e] [EXT] hello", False),
        ("[\u200b] [EXT] hello", False),
    ],
)
def test_a_prefix_out_of_sight_does_not_count(subject: str, has_it: bool) -> None:
    editor = MessageEditor(HEADER + f"Subject: {subject}\r\n\r\n".encode())
    assert editor.prefix_subject("[EXT]") is not has_it
    assert not MessageEditor(editor.to_bytes()).prefix_subject("[EXT]")


def test_an_attachment_that_is_there_already_is_not_ours() -> None:
    note = Attachment("note.txt", b"Take care")
    forged = MessageEditor(MESSAGES["alternative"], invocation_id="another")
    forged.attach(note)
    editor = MessageEditor(forged.to_bytes(), invocation_id=INVOCATION)
    assert editor.attach(note)
    assert not MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).attach(note)


@pytest.mark.parametrize("name", ["mixed-attachment", "file-only", "mixed-only-files"])
def test_a_replacement_is_not_replaced_again(name: str) -> None:
    def run(raw: bytes) -> bytes:
        editor = MessageEditor(raw, invocation_id=INVOCATION)
        editor.replace_attachments(lambda part: True, lambda part: Attachment(f"{part.filename}.txt", b"gone"))
        return bytes(editor.to_bytes())

    once = run(MESSAGES[name])
    assert run(once) == once
    forged = once.replace(b"X-WorkMail-Edit: ", b"X-WorkMail-Edit: 0")
    assert run(forged) != forged
