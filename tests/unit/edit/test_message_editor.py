"""Each operation on its own."""

# ruff: noqa: RUF001 - what people write

from __future__ import annotations

import pytest

from tests.unit.edit.make_corpus import FOOTER, messages
from tests.unit.edit.reading import INVOCATION, files, read, texts
from workmail_runtime.edit import Attachment, EditRefusal, EditRefusedError, MessageEditor

MESSAGES = messages()
PLAIN = MESSAGES["plain-7bit"]


def simple(subject: str | bytes, body: bytes = b"Hello\r\n") -> bytes:
    value = subject if isinstance(subject, bytes) else subject.encode()
    return b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nSubject:" + value + b"\r\n\r\n" + body


class TestPrefixSubject:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (" Hello", " [EXT] Hello"),
            ("Hello", "[EXT] Hello"),
            ("", " [EXT]"),
            (" ", " [EXT]"),
            ("\r\n folded", "\r\n [EXT] folded"),
            (" two\r\n lines", " [EXT] two\r\n lines"),
            (" =?utf-8?q?Gr=C3=BC=C3=9Fe?=", " [EXT] =?utf-8?q?Gr=C3=BC=C3=9Fe?="),
            (" " + "x" * 68, " [EXT]\r\n " + "x" * 68),
        ],
    )
    def test_writes_the_prefix_and_nothing_else(self, before: str, after: str) -> None:
        editor = MessageEditor(simple(before), invocation_id=INVOCATION)
        assert editor.prefix_subject("[EXT]")
        assert editor.to_bytes() == simple(after)

    @pytest.mark.parametrize(
        "subject",
        ["[EXT] a", "[ext] a", "Re: [EXT] a", "AW: WG: [EXT] a", "Re[2]: [EXT] a", "[list] Re: [EXT] a", "Antw: [EXT]"],
    )
    def test_none_twice(self, subject: str) -> None:
        editor = MessageEditor(simple(" " + subject), invocation_id=INVOCATION)
        assert not editor.prefix_subject("[EXT]")
        assert not editor.changed

    def test_finds_it_in_encoded_words(self) -> None:
        assert not MessageEditor(
            simple(" =?utf-8?b?UmU6IFtFWFRdIEdyw7w=?=\r\n =?utf-8?q?=C3=9Fe?="), invocation_id=INVOCATION
        ).prefix_subject("[EXT]")

    def test_a_word_with_a_colon_is_no_reply(self) -> None:
        assert MessageEditor(simple(" Invoice: [EXT] cable"), invocation_id=INVOCATION).prefix_subject("[EXT]")

    def test_non_ascii_before_an_encoded_word_keeps_one_space(self) -> None:
        editor = MessageEditor(simple(" =?utf-8?q?Gr=C3=BC=C3=9Fe?="), invocation_id=INVOCATION)
        editor.prefix_subject("Außen")
        assert str(read(bytes(editor.to_bytes()))["Subject"]) == "Außen Grüße"
        assert editor.subject == "Außen Grüße"

    @pytest.mark.fact("E5")
    def test_a_long_subject_is_not_cut(self) -> None:
        subject = " ".join(f"word{number}" for number in range(200))
        editor = MessageEditor(simple(" " + subject), invocation_id=INVOCATION)
        editor.prefix_subject("[EXT]")
        assert editor.subject == f"[EXT] {subject}"

    def test_a_message_without_subject_gets_one(self) -> None:
        editor = MessageEditor(MESSAGES["no-subject"], invocation_id=INVOCATION)
        editor.prefix_subject("[EXT]")
        assert editor.subject == "[EXT]"
        assert not MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).prefix_subject("[EXT]")

    @pytest.mark.parametrize("prefix", ["", "  ", "a\r\nBcc: x@example.org", "a\0"])
    def test_what_is_no_prefix(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="prefix"):
            MessageEditor(PLAIN, invocation_id=INVOCATION).prefix_subject(prefix)


class TestHeaders:
    def test_add_replace_remove(self) -> None:
        editor = MessageEditor(PLAIN, invocation_id=INVOCATION)
        assert editor.add_header("X-Scanned", "größer – ja")
        assert not editor.add_header("x-scanned", "größer – ja")
        assert editor.replace_header("Reply-To", "b@example.org")
        assert editor.replace_header("Subject", "new")
        assert editor.remove_header("DKIM-Signature")
        message = read(bytes(editor.to_bytes()))
        assert message["X-Scanned"] == "größer – ja"
        assert (message["Reply-To"], message["Subject"], message["DKIM-Signature"]) == ("b@example.org", "new", None)
        assert editor.headers("X-Scanned") == ["größer – ja"]

    def test_twice_is_once(self) -> None:
        def run(raw: bytes) -> bytes:
            editor = MessageEditor(raw, invocation_id=INVOCATION)
            editor.add_header("X-A", "b")
            editor.replace_header("X-C", "d " * 100)
            editor.remove_header("Received-SPF")
            return bytes(editor.to_bytes())

        assert run(run(PLAIN)) == run(PLAIN)
        assert max(map(len, run(PLAIN).splitlines())) <= 110

    @pytest.mark.fact("C8")
    @pytest.mark.parametrize("name", ["From", "date", "Message-ID", "Received"])
    def test_immutable(self, name: str) -> None:
        editor = MessageEditor(PLAIN, invocation_id=INVOCATION)
        for change in (lambda: editor.replace_header(name, "x"), lambda: editor.remove_header(name)):
            with pytest.raises(EditRefusedError) as refused:
                change()
            assert refused.value.reason is EditRefusal.IMMUTABLE_HEADER
        assert not editor.changed

    @pytest.mark.parametrize(
        ("name", "value", "found"),
        [
            ("A b", "x", "no field name"),
            ("Content-Type", "text/html", "structure"),
            ("X-A", "b\r\nC: d", "line ending"),
        ],
    )
    def test_what_is_no_header(self, name: str, value: str, found: str) -> None:
        with pytest.raises(ValueError, match=found):
            MessageEditor(PLAIN, invocation_id=INVOCATION).add_header(name, value)

    def test_a_unique_header_is_not_doubled(self) -> None:
        with pytest.raises(ValueError, match="replace_header"):
            MessageEditor(PLAIN, invocation_id=INVOCATION).add_header("Subject", "second")


class TestBody:
    def test_insertion_alone_where_the_text_fits(self) -> None:
        editor = MessageEditor(PLAIN)
        editor.add_banner("Banner\ntwo")
        editor.add_footer("Footer")
        head, _, body = PLAIN.partition(b"\r\n\r\n")
        assert editor.to_bytes() == head + b"\r\n\r\nBanner\r\ntwo\r\n\r\n" + body + b"\r\nFooter\r\n"

    def test_quoted_printable_keeps_its_encoded_lines(self) -> None:
        editor = MessageEditor(MESSAGES["plain-qp"])
        editor.add_banner("ü")
        head, _, body = MESSAGES["plain-qp"].partition(b"\r\n\r\n")
        assert editor.to_bytes() == head + b"\r\n\r\n=C3=BC\r\n\r\n" + body

    @pytest.mark.parametrize("name", ["plain-7bit", "html-only", "file-only", "signed-pgp", "alternative"])
    def test_several_in_the_order_of_the_calls_and_once(self, name: str) -> None:
        def edited(raw: bytes) -> MessageEditor:
            editor = MessageEditor(raw, invocation_id=INVOCATION)
            for text in ("first", "second"):
                editor.add_banner(text)
                editor.add_footer(text)
            return editor

        once = bytes(edited(MESSAGES[name]).to_bytes())
        assert not edited(once).changed
        shown = " ".join(text for _, text in texts(once))
        assert shown.index("second") < shown.index("first") < shown.rindex("first") < shown.rindex("second")

    def test_markup_for_html(self) -> None:
        editor = MessageEditor(MESSAGES["alternative"], invocation_id=INVOCATION)
        editor.add_banner("Care!", html='<p style="color:red">Care <b>please</b>!</p>')
        (_, plain), (_, page) = texts(bytes(editor.to_bytes()))
        assert plain.startswith("Care!")
        assert page.startswith(("Care please !", "Care please!"))

    def test_flowed_text_is_stuffed(self) -> None:
        editor = MessageEditor(MESSAGES["plain-flowed-quoting"], invocation_id=INVOCATION)
        editor.add_banner("> not a quote\nFrom us")
        assert b"\r\n > not a quote\r\n From us\r\n\r\n" in editor.to_bytes()

    def test_a_footer_goes_below_the_signature(self) -> None:
        editor = MessageEditor(MESSAGES["plain-signature"], invocation_id=INVOCATION)
        editor.add_footer("Footer")
        assert bytes(editor.to_bytes()).endswith(b"-- \r\nAnn\r\nExample Ltd\r\n\r\nFooter\r\n")

    @pytest.mark.parametrize("name", [name for name in MESSAGES if name.startswith("reply-")])
    def test_a_reply_that_quotes_a_footer_gets_its_own(self, name: str) -> None:
        quoted = texts(MESSAGES[name])[0][1].count(FOOTER)
        editor = MessageEditor(MESSAGES[name], invocation_id=INVOCATION)
        assert editor.add_footer(FOOTER)
        again = MessageEditor(editor.to_bytes(), invocation_id=INVOCATION)
        assert not again.add_footer(FOOTER)
        assert texts(bytes(editor.to_bytes()))[0][1].count(FOOTER) == quoted + 1

    def test_a_reply_that_is_only_a_file_gets_one_footer(self) -> None:
        raw = MESSAGES["file-only"].replace(b"Subject:", b"In-Reply-To: <1@example.com>\r\nSubject:")
        editor = MessageEditor(raw, invocation_id=INVOCATION)
        editor.add_footer(FOOTER)
        assert not MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).add_footer(FOOTER)

    def test_long_lines_are_encoded(self) -> None:
        editor = MessageEditor(PLAIN, invocation_id=INVOCATION)
        editor.add_banner("word " * 400)
        raw = bytes(editor.to_bytes())
        assert max(map(len, raw.splitlines())) <= 120
        assert texts(raw)[0][1] == "word " * 400 + "Hello"

    @pytest.mark.parametrize("text", ["", " \n ", "\ud800"])
    def test_what_is_no_text(self, text: str) -> None:
        with pytest.raises(ValueError, match="banner"):
            MessageEditor(PLAIN, invocation_id=INVOCATION).add_banner(text)

    def test_a_signature_stays_valid(self) -> None:
        editor = MessageEditor(MESSAGES["signed-pgp"], invocation_id=INVOCATION)
        editor.add_banner("Banner")
        start = MESSAGES["signed-pgp"].index(b"--sig\r\n")
        assert MESSAGES["signed-pgp"][start:] in editor.to_bytes()

    def test_each_edit_leaves_one_header_field_if_there_is_an_invocation_to_remember(self) -> None:
        for invocation_id, marks in ((INVOCATION, 2), (None, 0)):
            editor = MessageEditor(PLAIN, invocation_id=invocation_id)
            editor.add_banner("Banner")
            editor.add_footer("Footer")
            assert len(MessageEditor(editor.to_bytes()).headers("X-WorkMail-Edit")) == marks
            assert not editor.add_footer("Footer")

    def test_remove(self) -> None:
        editor = MessageEditor(MESSAGES["mixed-alternative-attachment"], invocation_id=INVOCATION)
        removed = editor.remove_attachments(lambda part: part.content_type == "application/pdf")
        assert [part.filename for part in removed] == ["a.pdf"]
        kept = [name for _, name, _ in files(bytes(editor.to_bytes()))]
        assert kept == ["notes.txt"]
        assert not MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).remove_attachments(
            lambda part: part.filename == "a.pdf"
        )

    @pytest.mark.parametrize("name", ["mixed-only-files", "file-only"])
    def test_remove_all_leaves_a_message(self, name: str) -> None:
        editor = MessageEditor(MESSAGES[name], invocation_id=INVOCATION)
        editor.remove_attachments(lambda part: True)
        raw = bytes(editor.to_bytes())
        assert files(raw) == []
        assert not [defect for part in read(raw).walk() for defect in part.defects]
        assert not MessageEditor(raw, invocation_id=INVOCATION).remove_attachments(lambda part: True)

    def test_replace(self) -> None:
        editor = MessageEditor(MESSAGES["mixed-attachment"], invocation_id=INVOCATION)
        note = Attachment("entfernt–ü.txt", b"removed", "text/plain")
        assert editor.replace_attachments(lambda part: part.filename == "a.pdf", lambda part: note)
        (attachment,) = MessageEditor(editor.to_bytes(), invocation_id=INVOCATION).attachments
        assert (attachment.filename, attachment.content()) == ("entfernt–ü.txt", b"removed")

    def test_inside_a_signature_is_refused(self) -> None:
        raw = MESSAGES["signed-pgp"].replace(b"Content-Type: text/plain; charset=us-ascii", b"Content-Type: image/png")
        editor = MessageEditor(raw, invocation_id=INVOCATION)
        with pytest.raises(EditRefusedError) as refused:
            editor.remove_attachments(lambda part: part.content_type == "image/png")
        assert refused.value.reason is EditRefusal.SIGNED
        assert editor.to_bytes() is raw

    @pytest.mark.parametrize(
        "name", ["plain-7bit", "alternative", "mixed-attachment", "no-mime-no-blank-line", "html-only"]
    )
    def test_attach(self, name: str) -> None:
        attachment = Attachment("data.bin", bytes(range(256)))
        editor = MessageEditor(MESSAGES[name], invocation_id=INVOCATION)
        assert editor.attach(attachment)
        assert not editor.attach(attachment)
        editor.add_banner("Banner ü")
        raw = bytes(editor.to_bytes())
        assert texts(raw)[0][1].startswith("Banner ü")
        *_, added = MessageEditor(raw, invocation_id=INVOCATION).attachments
        assert (added.filename, added.content()) == ("data.bin", bytes(range(256)))
        again = MessageEditor(raw, invocation_id=INVOCATION)
        assert not again.attach(attachment)
        assert not again.add_banner("Banner ü")
        assert files(raw)[:-1] == files(MESSAGES[name])

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("encrypted-pgp", EditRefusal.ENCRYPTED), ("calendar-only", EditRefusal.FIXED_STRUCTURE)],
    )
    def test_attach_refused(self, name: str, reason: EditRefusal) -> None:
        with pytest.raises(EditRefusedError) as refused:
            MessageEditor(MESSAGES[name], invocation_id=INVOCATION).attach(Attachment("a", b"b"))
        assert refused.value.reason is reason

    def test_names(self) -> None:
        (part,) = MessageEditor(MESSAGES["mixed-filename-rfc2231"], invocation_id=INVOCATION).attachments
        assert part.filename == "Grüsse.pdf"
        with pytest.raises(ValueError, match="filename"):
            Attachment("../a", b"")
        with pytest.raises(ValueError, match="content_type"):
            Attachment("a", b"", "text")


class TestResult:
    def test_nothing_done_is_the_same_object(self) -> None:
        raw = bytearray(PLAIN)
        editor = MessageEditor(raw, invocation_id=INVOCATION)
        assert editor.to_bytes() is raw
        assert b"".join(editor.chunks()) == raw

    def test_an_edit_taken_back_changes_nothing(self) -> None:
        editor = MessageEditor(PLAIN, invocation_id=INVOCATION)
        editor.add_header("X-A", "b")
        editor.remove_header("X-A")
        assert not editor.changed

    def test_chunks_are_the_result(self) -> None:
        editor = MessageEditor(MESSAGES["calendar-outlook"], invocation_id=INVOCATION)
        editor.prefix_subject("[EXT]")
        editor.add_banner("Banner")
        assert b"".join(editor.chunks()) == editor.to_bytes()
        assert editor.size == len(editor.to_bytes())
