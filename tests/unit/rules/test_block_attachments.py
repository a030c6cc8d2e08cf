"""`BlockAttachments`: what is found, however it is named and wherever it lies, and what happens then."""

from __future__ import annotations

import base64
import io
import struct
import time
import tracemalloc
import zipfile
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.one_message import actions, edited, one_message
from workmail_rules import zip_files
from workmail_rules.block_attachments import decoded_chunks, run
from workmail_runtime.edit import MessageEditor

EXE = b"MZ\x90\x00" + bytes(200)
PDF = b"%PDF-1.7\n" + bytes(200)
BLOCKED, UNREADABLE, NEITHER = "BOUNCE", "DROP", "DEFAULT"
NOTE = {"filename": "removed.txt", "text": "A program was removed."}
ARGUMENTS: dict[str, Any] = {
    "extensions": (".exe", ".js", ".tar.gz"),
    "types": (),
    "max_bytes": None,
    "then": {"action": "BOUNCE", "text": "No."},
    "note": None,
    "unreadable": {"action": "DROP"},
    "otherwise": None,
}


def mail(*files: tuple[str, bytes] | EmailMessage, kind: str = "application/octet-stream") -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"], made["Subject"] = "carol@example.net", "Secret merger"
    made.set_content("Hello\n")
    for each in files:
        match each:
            case EmailMessage():
                made.add_attachment(each)
            case (name, content):
                main, _, sub = kind.partition("/")
                made.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return bytes(made)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            # With a date of its own: pytest's workers have to see the same bytes, which name the tests.
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return target.getvalue()


def decided(raw: bytes, **changes: Any) -> str:
    message = one_message(raw)
    run(message, **{**ARGUMENTS, **changes})
    (action,) = set(actions(message).values())
    return action


@pytest.mark.parametrize(
    "name",
    [
        *("evil.exe", "EVIL.EXE", "evil.pdf.exe", "evil.exe.", "evil.exe . .", "evil.exe\u200b", "evil.e\u00adxe"),
        *(
            "invoice\u202efdp.exe",
            "evil\uff0e\uff45\uff58\uff45",
            "evil.exe:stream.txt",
            "evil.exe;1",
            "folder/evil.exe",
            "c:\\x\\evil.js",
        ),
        *("x" * 5_000 + ".exe", "archive.tar.gz", "évil.exe", ".exe", "c:\\x\\evil.js"),
    ],
)
def test_names_are_read_as_programs_may_read_them(name: str) -> None:
    assert decided(mail((name, b"text"))) == BLOCKED


@pytest.mark.parametrize(
    "name", ["exe", "evilexe", "evil.exe.txt", "js/evil.txt", "chart.js/readme.txt", "a.gz", "evil.exé"]
)
def test_other_names_are_let_through(name: str) -> None:
    assert decided(mail((name, b"text"))) == NEITHER


def test_each_name_that_a_part_declares_counts_and_so_does_one_of_an_inline_part() -> None:
    two = b"Content-Type: text/plain; name=evil.exe\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"
    inline = (
        b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b\r\n"
        b"Content-Type: image/png; name=evil.exe\r\nContent-ID: <a>\r\n\r\nx\r\n--b--\r\n"
    )
    assert [decided(b"From: c@example.net\r\n" + each) for each in (two, inline)] == [BLOCKED, BLOCKED]


@pytest.mark.parametrize(
    ("name", "content", "action"),
    [
        ("invoice.pdf", EXE, BLOCKED),
        ("invoice", EXE, BLOCKED),
        ("invoice.dll", EXE, NEITHER),
        ("invoice.pdf", PDF, NEITHER),
        ("invoice.txt", b"", NEITHER),
        ("invoice.txt", b"M", NEITHER),
    ],
)
def test_a_file_that_begins_as_a_blocked_one_is_blocked_under_any_other_name(
    name: str, content: bytes, action: str
) -> None:
    assert decided(mail((name, content))) == action


def test_types_are_those_declared_and_those_found() -> None:
    only = {"extensions": (), "types": ("application/pdf", "video/*")}
    assert decided(mail(("a.txt", PDF)), **only) == BLOCKED
    assert decided(mail(("a.txt", b"x"), kind="application/pdf"), **only) == BLOCKED
    assert decided(mail(("a.txt", b"x"), kind="video/mp4"), **only) == BLOCKED
    assert decided(mail(("a.txt", b"\x00\x00\x00\x18ftypmp42")), **only) == BLOCKED
    assert decided(mail(("a.txt", b"x"), kind="audio/mp4"), **only) == NEITHER


def test_an_office_document_is_not_taken_for_the_other_archives_it_looks_like() -> None:
    document = zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"})
    jar = {"extensions": (".jar",)}
    assert decided(mail(("letter.docx", document)), **jar) == NEITHER
    assert decided(mail(("letter.txt", document)), **jar) == BLOCKED


def test_size_is_that_of_the_file_and_not_of_its_encoding() -> None:
    assert decided(mail(("a.bin", bytes(1000))), max_bytes=1000) == NEITHER
    assert decided(mail(("a.bin", bytes(1001))), max_bytes=1000) == BLOCKED
    assert decided(mail(("a.zip", zipped({"a.bin": bytes(1001)}))), max_bytes=1000) == BLOCKED


def with_local_name(name: bytes) -> bytes:
    return zipped({"good.txt": b"x"}).replace(b"good.txt", name, 1)


def with_unicode_path(name: bytes) -> bytes:
    target = io.BytesIO()
    info = zipfile.ZipInfo("good.txt")
    info.extra = struct.pack("<HHBI", 0x7075, 5 + len(name), 1, 0) + name
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(info, b"x")
    return target.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        zipped({"readme.txt": b"x", "evil.exe": b"x"}),
        zipped({"invoice.pdf": EXE}),
        zipped({"invoice.pdf": EXE}, zipfile.ZIP_STORED),
        zipped({"a/b/evil.exe": b""}),
        zipped({"inner.zip": zipped({"evil.exe": b"x"})}),
        zipped({"inner.dat": zipped({"inner.zip": zipped({"evil.exe": b"x"})})}),
        b"MS-DOS stub" + zipped({"evil.exe": b"x"}),
        zipped({"evil.exe": b"x"}) + b"appended",
        zipped({"good.txt": b"x"}) + zipped({"evil.exe": b"x"}),
        zipped({"evil.exe": b"x"}) + zipped({"good.txt": b"x"}),
        with_local_name(b"evil.exe"),
        with_unicode_path(b"evil.exe"),
        zipped({"evil.exe": b"x"}, zipfile.ZIP_LZMA),
    ],
)
def test_archives_are_looked_into(archive: bytes) -> None:
    assert decided(mail(("archive.zip", archive))) == BLOCKED
    assert decided(mail(("archive.dat", archive))) == BLOCKED


def encrypted(files: dict[str, bytes]) -> bytes:
    """Set the flag of encryption, as every program reads it."""
    archive = bytearray(zipped(files))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(signature) + at] |= 1
    return bytes(archive)


def deep(levels: int, name: str) -> bytes:
    content = b"x"
    for _ in range(levels):
        content = zipped({name: content})
        name = "inner.zip"
    return content


@pytest.mark.parametrize(
    "archive",
    [
        encrypted({"letter.txt": b"x"}),
        deep(4, "a.txt"),
        zipped({"a.txt": b"x"}, zipfile.ZIP_LZMA),
        zipped({"a.txt": b"x"}, zipfile.ZIP_BZIP2),
        zipped({"a.txt": b"x"})[:-30],
        b"PK\x03\x04 and no more",
        with_local_name(b"evil.txt"),
        zipped({f"{number}.txt": b"" for number in range(zip_files.MAX_NAMES // 2 + 1)}),
        zipped({"inner.zip": b"PK\x03\x04" + bytes(zip_files.MAX_INFLATED_BYTES)}),
    ],
)
def test_what_cannot_be_looked_into_has_a_decision_of_its_own(archive: bytes) -> None:
    assert decided(mail(("archive.zip", archive))) == UNREADABLE
    assert decided(mail(("archive.zip", archive)), unreadable=None) == NEITHER


@pytest.mark.parametrize(
    "first",
    [
        {"a.zip": b"PK\x03\x04 and no more"},
        {"a.zip": b"Rar!\x1a\x07\x00"},
        {"a.zip": deep(4, "a.txt")},
    ],
)
def test_what_lies_behind_something_unreadable_is_seen(first: dict[str, bytes]) -> None:
    assert decided(mail(("archive.zip", zipped({**first, "b.txt": EXE})))) == BLOCKED
    assert decided(mail(("archive.zip", zipped({**first, "b.txt": b"x"})))) == UNREADABLE


def test_what_takes_longest_takes_little_time() -> None:
    started = time.process_time()
    decided(mail(("a.zip", zipped({f"{number}.txt": b"MZ" for number in range(4_999)}))), extensions=(".zzz",))
    decided(mail(*[(f"{number}.txt", b"MZ") for number in range(500)]), extensions=(".zzz",))
    decided(mail(("a.zip", b"PK\x03\x04" * 1_000_000)))
    head = b"From: a@b\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert decided(head + b"A=\r\n" * 1_000_000) == UNREADABLE
    assert time.process_time() - started < 10


def test_names_in_an_encrypted_archive_are_seen() -> None:
    assert decided(mail(("archive.zip", encrypted({"evil.exe": b"x"})))) == BLOCKED


def test_a_file_that_only_claims_to_be_an_archive_cannot_be_looked_into() -> None:
    assert decided(mail(("archive.zip", b"Rar!\x1a\x07\x00 as some programs open it"))) == UNREADABLE


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_takes_little_memory(method: int) -> None:
    raw = mail(("archive.zip", zipped({"bomb.bin": bytes(100_000_000)}, method)))
    tracemalloc.start()
    decided(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_large_attachment_is_not_held_in_memory() -> None:
    raw = mail(("a.zip", zipped({"a.bin": bytes(18_000_000)}, zipfile.ZIP_STORED)))
    message = one_message(raw)
    assert message.parsed.problem is None
    tracemalloc.start()
    run(message, **ARGUMENTS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(raw) > 24_000_000
    assert peak < 0.2 * len(raw)
    assert set(actions(message).values()) == {NEITHER}


def test_a_malformed_message_and_an_unusual_encoding_cannot_be_looked_into() -> None:
    assert decided(b"From: c@example.net\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n") == UNREADABLE
    uuencoded = b"From: c@example.net\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.exe\r\n"
    assert decided(uuencoded) == UNREADABLE


def attached(inner: bytes) -> bytes:
    return (
        b"From: c@example.net\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n"
        b"--outer\r\n\r\nHello\r\n--outer\r\n"
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + inner + b"\r\n--outer--\r\n"
    )


def replaced(raw: bytes) -> tuple[set[str], MessageEditor]:
    message = one_message(raw)
    run(message, **{**ARGUMENTS, "then": None, "note": NOTE, "otherwise": {"action": "BOUNCE", "text": "No."}})
    return set(actions(message).values()), MessageEditor(edited(message))


def test_a_note_takes_the_place_of_each_blocked_file() -> None:
    outcome, after = replaced(mail(("evil.exe", b"x"), ("good.txt", b"kept"), ("a.zip", zipped({"evil.js": b"x"}))))
    assert outcome == {NEITHER}
    assert [(part.filename, part.content()) for part in after.attachments] == [
        ("removed.txt", b"A program was removed."),
        ("good.txt", b"kept"),
        ("removed.txt", b"A program was removed."),
    ]


def test_an_attached_message_goes_as_a_whole() -> None:
    outcome, after = replaced(attached(mail(("evil.exe", b"x"))))
    assert outcome == {NEITHER}
    assert [part.filename for part in after.attachments] == ["removed.txt"]


def test_what_cannot_be_replaced_is_decided() -> None:
    signed = mail(("evil.exe", b"x")).replace(b"multipart/mixed;", b"multipart/signed;")
    inline = b"From: c@example.net\r\nContent-Type: image/png; name=evil.exe\r\nContent-Disposition: inline\r\n\r\nx"
    encoded = attached(base64.encodebytes(mail(("evil.exe", b"x")))).replace(
        b"Content-Disposition", b"Content-Transfer-Encoding: base64\r\nContent-Disposition"
    )
    outcomes = [replaced(raw)[0] for raw in (signed, encoded)]
    assert outcomes == [{BLOCKED}, {BLOCKED}]
    assert replaced(inline)[1].attachments[0].filename == "removed.txt"


def test_notes_tell_counts_and_reasons_only() -> None:
    message = one_message(mail(("evil.exe", b"x"), ("secret.zip", zipped({"merger.js": b"x"}))))
    run(message, **{**ARGUMENTS, "then": None, "note": NOTE})
    assert message.notes == ["2 blocked by extension, extension in an archive"]


def test_mail_without_attachments_is_let_through() -> None:
    assert decided(mail()) == NEITHER
    assert decided(b"From: c@example.net\r\n\r\nHello\r\n") == NEITHER


ENCODED = st.lists(st.sampled_from([b"QUJD", b"QQ==", b"QQ", b"=", b"\r\n", b"!", b"Q"]), max_size=40).map(b"".join)


@given(ENCODED, st.integers(1, 9), st.sampled_from([b"base64", b"quoted-printable", b"7bit", b"x-unknown"]))
def test_content_in_chunks_is_the_content(body: bytes, size: int, encoding: bytes) -> None:
    root = MessageEditor(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body).root
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workmail_rules.block_attachments._CHUNK", size)
        assert b"".join(decoded_chunks(root)) == root.content()


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 255))
def test_no_archive_makes_it_fail(tail: bytes, at: int, value: int) -> None:
    archive = bytearray(zipped({"a.txt": b"x" * 50, "b.zip": zipped({"c.txt": b"y"})}))
    archive[at] = value
    assert decided(mail(("a.zip", bytes(archive) + tail))) in {BLOCKED, UNREADABLE, NEITHER}


NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10)


@given(st.dictionaries(NAMES, st.binary(max_size=20), max_size=4), st.booleans())
def test_a_file_is_found_among_others(others: dict[str, bytes], is_there: bool) -> None:
    files = {f"{name}.txt": b"x" + content for name, content in others.items()}
    archive = zipped({**files, **({"z.exe": b"x"} if is_there else {})})
    assert (decided(mail(("a.zip", archive))) == BLOCKED) is is_there
