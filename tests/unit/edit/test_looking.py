"""Looking never raises, and finds what mail programs show or save."""

from __future__ import annotations

import base64

import pytest

from tests.unit.edit.judges import file_names
from tests.unit.edit.make_corpus import multipart, part
from workmail_runtime.edit import EditRefusedError, MessageEditor

HEADER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\n"
PROGRAM = part("application/octet-stream", "MZ", "Content-Disposition: attachment; filename=evil.exe")
TEXT = part("text/plain", "Hello")
WHOLE = multipart("mixed", "x", TEXT, PROGRAM)
ATTACHED = "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n" + WHOLE
ENCODED = part("message/rfc822", base64.encodebytes(WHOLE.encode()).decode(), "Content-Transfer-Encoding: base64")

DAMAGED = {
    "no closing delimiter": WHOLE.replace("--x--", ""),
    "no boundary parameter": WHOLE.replace('; boundary="x"', ""),
    "another boundary": WHOLE.replace('boundary="x"', 'boundary="y"'),
    "behind the closing delimiter": WHOLE.replace("--x\r\n" + PROGRAM, "--x--\r\n--x\r\n" + PROGRAM),
    "a line that is no field": WHOLE.replace("Content-Disposition", "no field\r\nContent-Disposition"),
    "no blank line before the parts": WHOLE.replace("\r\n\r\n--x", "\r\nno field\r\n--x", 1),
    "a bare carriage return": WHOLE.replace("Content-Disposition", "X: y\rContent-Disposition"),
    "a carriage return in a name": WHOLE.replace("filename=", "filename*0*=utf-8\r''").replace("exe", "%65xe"),
    "bare carriage returns": WHOLE.replace("\r\n", "\r"),
    "two types": WHOLE.replace("Content-Type: multipart", "Content-Type: text/plain\r\nContent-Type: multipart"),
    "two boundaries": WHOLE.replace('"x"', '"x"; boundary=y'),
    "the same boundary twice": multipart("mixed", "x", WHOLE, TEXT),
    "no closing delimiter in an attached message": multipart("mixed", "m", TEXT, ATTACHED.replace("--x--", "")),
}
SOUND = {
    "whole": WHOLE,
    "two names": WHOLE.replace("filename=evil.exe", "filename=a.txt; filename=evil.exe"),
    "two spellings": WHOLE.replace("filename=evil.exe", "filename=a.txt; filename*=utf-8''evil.exe"),
    "a name in the type": WHOLE.replace("file", "x").replace("stream", "stream; name=evil.exe"),
    "inline": WHOLE.replace("attachment", "inline"),
    "a Content-ID": multipart("related", "x", TEXT, PROGRAM.replace("\r\n\r\n", "\r\nContent-ID: <a>\r\n\r\n")),
    "in an attached message": multipart("mixed", "m", TEXT, ATTACHED),
    "in a message attached in base64": multipart("mixed", "m", ENCODED),
}  # fmt: skip


@pytest.mark.parametrize("rest", [*DAMAGED.values(), *SOUND.values()], ids=[*DAMAGED, *SOUND])
def test_a_program_is_found(rest: str) -> None:
    raw = HEADER + rest.encode()
    found = {name for part in MessageEditor(raw).attachments for name in part.filenames}
    assert "evil.exe" in found
    assert file_names(raw) <= found


@pytest.mark.parametrize("rest", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_message_says_so_and_nothing_but_an_edit_refuses(rest: str) -> None:
    editor = MessageEditor(HEADER + rest.encode())
    assert editor.problem is not None
    assert editor.header("From") == "a@example.org"
    assert editor.to_bytes() is editor.raw


@pytest.mark.parametrize("rest", SOUND.values(), ids=SOUND)
def test_a_sound_message_has_no_problem(rest: str) -> None:
    assert MessageEditor(HEADER + rest.encode()).problem is None


def test_an_edit_raises_the_problem() -> None:
    editor = MessageEditor(HEADER + DAMAGED["no closing delimiter"].encode())
    for edit in (editor.prefix_subject, editor.add_banner, editor.add_footer, editor.remove_header):
        with pytest.raises(EditRefusedError) as refused:
            edit("X")
        assert refused.value is editor.problem


def test_damage_in_an_attached_message_does_not_keep_an_edit_away() -> None:
    editor = MessageEditor(HEADER + DAMAGED["no closing delimiter in an attached message"].encode())
    assert editor.add_banner("Banner")


@pytest.mark.parametrize(
    ("encoding", "body", "content"),
    [
        ("base64", "T!V\r\no=", b"MZ"),
        ("base64", "TVo=TVo=", b"MZMZ"),
        ("base64", "TVoxx", b"MZ1"),
        ("base64", "", b""),
        ("quoted-printable", "M=5A=", b"MZ"),
        ("x-unknown", "MZ", b"MZ"),
    ],
)
def test_a_broken_encoding_is_read_as_far_as_it_goes(encoding: str, body: str, content: bytes) -> None:
    raw = HEADER + part("application/octet-stream", body, f"Content-Transfer-Encoding: {encoding}").encode()
    (found,) = MessageEditor(raw).attachments
    assert found.content() == content
