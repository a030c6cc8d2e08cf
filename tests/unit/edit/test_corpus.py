"""Every shape of real mail, edited as a handler would and read by another program."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.unit.edit.make_corpus import CORPUS, FOOTER, messages
from tests.unit.edit.reading import INVOCATION, files, other_headers, read, texts
from workmail_runtime.edit import EditRefusal, EditRefusedError, MessageEditor, check_message

PREFIX = "[EXT]"
BANNERS = {"ascii": "CAUTION: <outside> & beyond", "unicode": "Vorsicht – von draußen\nзавтра"}  # noqa: RUF001
MESSAGES = {path.stem: path.read_bytes() for path in sorted(CORPUS.glob("*.eml"))}

MALFORMED = {name for name in MESSAGES if name.startswith("broken-")}
REFUSED = {
    "encrypted-pgp": EditRefusal.ENCRYPTED,
    "encrypted-smime": EditRefusal.ENCRYPTED,
    "signed-smime-opaque": EditRefusal.SIGNED,
    "calendar-only": EditRefusal.FIXED_STRUCTURE,
    "partial": EditRefusal.FIXED_STRUCTURE,
}
# Their declared character set is not theirs; after an edit that declares another it is. And text behind the end tag.
READ_BETTER = {
    "no-mime-8bit-utf8",
    "plain-cp1252-as-latin1",
    "plain-gb2312-8bit",
    "plain-utf8-said-ascii",
    "html-text-after-end",
}
_DATA = importlib.util.find_spec("test.test_email")
STDLIB = sorted((Path(_DATA.origin).parent / "data").glob("msg_*.txt")) if _DATA and _DATA.origin else []


def edited(raw: bytes, banner: str = BANNERS["ascii"], footer: str = FOOTER) -> bytes:
    editor = MessageEditor(raw, invocation_id=INVOCATION)
    editor.prefix_subject(PREFIX)
    editor.add_banner(banner)
    editor.add_footer(footer)
    return bytes(editor.to_bytes())


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_files_are_what_the_script_writes() -> None:
    assert messages() == MESSAGES


EDITED = [name for name in MESSAGES if name not in MALFORMED and name not in REFUSED]
ALTERNATIVES = [
    name
    for name in EDITED
    if read(MESSAGES[name]).get_content_type() == "multipart/alternative" and name != "alternative-apple"
]
# Programs differ in which part of related-start they show, so two parts are marked; a comment hides what it holds.
NOT_ONCE = {"related-start", "html-body-in-comment", "html-unclosed-comment"}
ONE_TEXT = [name for name in EDITED if len(texts(MESSAGES[name])) == 1 and name not in NOT_ONCE]


@pytest.mark.parametrize("banner", BANNERS.values(), ids=BANNERS)
@pytest.mark.parametrize("name", ALTERNATIVES)
def test_each_alternative_begins_with_the_banner_and_ends_with_the_footer(name: str, banner: str) -> None:
    shown = [text for kind, text in texts(edited(MESSAGES[name], banner)) if kind in {"text/plain", "text/html"}]
    assert all(text.startswith(one_line(banner)) and text.endswith(FOOTER) for text in shown)


@pytest.mark.parametrize("banner", BANNERS.values(), ids=BANNERS)
@pytest.mark.parametrize("name", ONE_TEXT)
def test_a_footer_is_shown_once(name: str, banner: str) -> None:
    before, now = (" ".join(text for _, text in texts(raw)) for raw in (MESSAGES[name], edited(MESSAGES[name], banner)))
    assert now.count(FOOTER) == before.count(FOOTER) + 1


@pytest.mark.parametrize("banner", BANNERS.values(), ids=BANNERS)
@pytest.mark.parametrize("name", [name for name in EDITED if name not in READ_BETTER])
def test_keeps_the_text_between(name: str, banner: str) -> None:
    now = one_line(" ".join(text for _, text in texts(edited(MESSAGES[name], banner))))
    assert [text for _, text in texts(MESSAGES[name]) if text.removeprefix("\ufeff") not in now] == []


@pytest.mark.parametrize("banner", BANNERS.values(), ids=BANNERS)
@pytest.mark.parametrize("name", EDITED)
class TestEditedMessage:
    def test_shows_banner_and_footer(self, name: str, banner: str) -> None:
        shown = texts(edited(MESSAGES[name], banner))
        assert one_line(banner) in " ".join(text for _, text in shown)
        assert FOOTER in " ".join(text for _, text in shown)

    def test_has_the_prefix(self, name: str, banner: str) -> None:
        before = str(read(MESSAGES[name])["Subject"] or "")
        now = one_line(str(read(edited(MESSAGES[name], banner))["Subject"]))
        assert now in {one_line(f"{PREFIX} {before}"), one_line(before)}
        assert PREFIX in now

    def test_keeps_files_byte_for_byte(self, name: str, banner: str) -> None:
        assert files(edited(MESSAGES[name], banner)) == files(MESSAGES[name])

    def test_keeps_every_other_header(self, name: str, banner: str) -> None:
        before, now = other_headers(MESSAGES[name]), other_headers(edited(MESSAGES[name], banner))
        assert now == before

    @pytest.mark.fact("C4", "E7")
    def test_twice_is_once(self, name: str, banner: str) -> None:
        once = edited(MESSAGES[name], banner)
        editor = MessageEditor(once, invocation_id=INVOCATION)
        editor.prefix_subject(PREFIX)
        editor.add_banner(banner)
        editor.add_footer(FOOTER)
        assert not editor.changed
        assert editor.to_bytes() is once

    @pytest.mark.fact("C8")
    def test_passes_the_check_if_it_did(self, name: str, banner: str) -> None:
        assert check_message(MESSAGES[name]) == ()
        assert check_message(edited(MESSAGES[name], banner), original=MESSAGES[name]) == ()

    def test_stays_well_formed(self, name: str, banner: str) -> None:
        now, before = (
            [defect for part in read(raw).walk() for defect in part.defects]
            for raw in (edited(MESSAGES[name], banner), MESSAGES[name])
        )
        assert len(now) <= len(before)


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_body_out_of_reach_is_refused_and_the_subject_still_prefixed(name: str, reason: EditRefusal) -> None:
    editor = MessageEditor(MESSAGES[name], invocation_id=INVOCATION)
    for edit in (editor.add_banner, editor.add_footer):
        with pytest.raises(EditRefusedError) as refused:
            edit("text")
        assert refused.value.reason is reason
    assert editor.to_bytes() is MESSAGES[name]
    assert editor.prefix_subject(PREFIX)
    assert files(bytes(editor.to_bytes())) == files(MESSAGES[name])


@pytest.mark.fact("C9")
@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_a_malformed_message_is_kept(name: str) -> None:
    editor = MessageEditor(MESSAGES[name], invocation_id=INVOCATION)
    for edit in (editor.prefix_subject, editor.add_banner, editor.add_footer):
        with pytest.raises(EditRefusedError, match=r"MALFORMED_(HEADERS|MULTIPART)"):
            edit("text")
    assert check_message(MESSAGES[name])
    assert not editor.changed
    assert editor.to_bytes() is MESSAGES[name]


@pytest.mark.skipif(not STDLIB, reason="this Python comes without the messages of its own email tests")
@pytest.mark.parametrize("path", STDLIB, ids=[path.stem for path in STDLIB])
def test_the_messages_of_pythons_own_tests(path: Path) -> None:
    raw = path.read_bytes()
    try:
        once = edited(raw)
    except EditRefusedError:
        return
    assert edited(once) == once
    assert other_headers(once) == other_headers(raw)
    assert files(once) == files(raw)
    shown = " ".join(text for _, text in texts(once))
    assert BANNERS["ascii"] in shown
    assert FOOTER in shown
    assert check_message(raw) or not check_message(once, original=raw)
