"""`Translate`: a machine translation above or below the body, and before the subject."""

from __future__ import annotations

import re
import time

from workmail_rules.aws_call import call
from workmail_rules.step_errors import StepError
from workmail_rules.visible_text import part_text, readable_parts
from workmail_runtime.content_errors import ServiceError
from workmail_runtime.edit.insertion import MARK_FIELD, new_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from workmail_rules.message import Message
    from workmail_runtime.edit import MessageEditor

MAX_CALL_BYTES: Final = 10_000
"""Bytes of UTF-8 that one call of TranslateText takes."""

FIRST_CALL_BYTES: Final = 1_000
"""The first call finds out the language; a message that is in the wanted one costs no more than this."""

MAX_TRANSLATED: Final = 20_000
"""Characters that TranslateText answers at most."""

MAX_SUBJECT: Final = 200
"""Characters of a translated subject; a mail program shows fewer."""

SUBJECT_END: Final = "|"
"""Stands between the translated subject and the message's own."""

_CALL_S: Final = 1.0  # a call that is begun with less time left would rarely end in it
_RULE: Final = "* * *"
_CUT: Final = "[…]"
_AUTO: Final = "auto"
_CODE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")
# Where a text is cut, the best place first: paragraph, line, sentence, word.
_PLACES: Final = (
    re.compile(r"\n\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…]\s+|[\u3002\uff01\uff1f]"),
    re.compile(r"\s+"),
)
# What turns the direction of the text around it, and controls.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# What the service answers to text that it cannot translate. To try again would be of no use.
_NOT_TRANSLATABLE: Final = frozenset({"DetectedLanguageLowConfidenceException", "UnsupportedLanguagePairException"})


def run(message: Message, *, into: str, above: bool, subject: bool, max_bytes: int, heading: str) -> None:
    """Show a translation with the body, unless the message is in the wanted language already."""
    invocation_id = message.event.invocation_id
    mark = new_mark(invocation_id, "translate", into) if invocation_id else None
    if mark in message.parsed.headers(MARK_FIELD):
        message.note("added by an earlier attempt")
        return
    try:
        translated, source = _translated_body(message, into, max_bytes)
        translated_subject = ""
        if subject and not _is_same(source, into):
            translated_subject, source = _translated_subject(message, source, into)
    except ServiceError as error:
        if error.code not in _NOT_TRANSLATABLE:
            raise
        message.note(f"not translated: {error.code}")
        message.count("NotTranslated")
        return
    if not translated and not translated_subject:
        message.note("no text" if source == _AUTO else f"nothing to translate from {source}")
        return
    editor = message.editor
    if translated:
        _show(editor, translated, above=above, heading=heading)
    if translated_subject:
        editor.prefix_subject(f"{translated_subject} {SUBJECT_END}")
    if mark:
        editor.add_header(MARK_FIELD, mark)
    message.note(f"translated from {source}")
    message.count("Translated")


def pieces(text: str, *, first: int, limit: int) -> Iterator[str]:
    """Cut a text into pieces of at most so many bytes of UTF-8, between paragraphs, lines, sentences or words.

    Joined, they are the text. A word that is longer than a piece is cut anywhere.
    """
    position, size = 0, first
    while position < len(text):
        longest = text[position : position + size].encode()[:size].decode(errors="ignore")
        piece = longest if position + len(longest) == len(text) else longest[: _cut_at(longest)]
        yield piece
        position += len(piece)
        size = limit


def _cut_at(text: str) -> int:
    """Return the end of the last whole paragraph; of the last line, sentence or word if there is none in sight."""
    for place in _PLACES:
        # In the second half, so that every piece but the last is at least half full, and the calls are bounded.
        ends = [found.end() for found in place.finditer(text, len(text) // 2)]
        if ends:
            return ends[-1]
    return len(text)


def _translated_body(message: Message, into: str, max_bytes: int) -> tuple[str, str]:
    """Return the translation and the language that was found; no translation if that is the wanted one."""
    text = _body_text(message.parsed)
    source = _AUTO
    translated: list[str] = []
    done = sent = 0
    for piece in pieces(text, first=min(FIRST_CALL_BYTES, max_bytes), limit=MAX_CALL_BYTES):
        size = len(piece.encode())
        is_late = bool(done) and message.deadline - time.monotonic() < _CALL_S
        if sent + size > max_bytes or is_late:
            break
        done += len(piece)
        if piece.strip():
            answer, source = _translate(message, piece.strip(), source, into)
            if _is_same(source, into):
                return "", source
            sent += size
            before, behind = (re.match(r"\s*", each) for each in (piece, piece[::-1]))
            translated.append(f"{before[0] if before else ''}{answer}{behind[0][::-1] if behind else ''}")
    if translated and done < len(text):
        translated.append(f"\n{_CUT}")
        message.count("Cut")
    return "".join(translated).strip(), source


def _body_text(editor: MessageEditor) -> str:
    """Return what a reader sees: of the HTML if there is any, for mail programs show that."""
    parts = sorted(readable_parts(editor), key=lambda part: not part.is_html)
    texts = (part_text(part).strip() for part in parts)
    return next((text for text in texts if text), "")


def _translated_subject(message: Message, source: str, into: str) -> tuple[str, str]:
    """Return the translated subject, empty if it is the same; and the language, found by the subject if need be."""
    whole = " ".join(message.event.subject.split())
    # Behind what a translation of an earlier message of the conversation put there.
    own = whole.rpartition(f" {SUBJECT_END} ")[2]
    if not own:
        return "", source
    answer, source = _translate(message, own, source, into)
    answer = " ".join(answer.split())[:MAX_SUBJECT].strip()
    is_there = f"{answer} {SUBJECT_END}".casefold() in whole.casefold()
    if _is_same(source, into) or is_there or answer.casefold() == own.casefold():
        return "", source
    return answer, source


def _translate(message: Message, text: str, source: str, into: str) -> tuple[str, str]:
    """Translate one piece; return it, and the language it was in."""
    arguments = {"Text": text, "SourceLanguageCode": source, "TargetLanguageCode": into}
    answer = call("Translate", "TranslateText", arguments, deadline=message.deadline)
    translated, found = answer.get("TranslatedText"), answer.get("SourceLanguageCode")
    if not isinstance(translated, str) or len(translated) > MAX_TRANSLATED:
        error = f"the answer of TranslateText has no text of at most {MAX_TRANSLATED:,} characters"
        raise StepError(error)
    if not isinstance(found, str) or not _CODE.fullmatch(found):
        error = "the answer of TranslateText names no language"
        raise StepError(error)
    return _CONTROLS.sub(" ", translated), found


def _is_same(source: str, into: str) -> bool:
    """Whether readers of one language read the other: "fr" and "fr-CA", but not the two ways to write Chinese."""
    return source == into or (source.partition("-")[0] == into.partition("-")[0] and not source.startswith("zh"))


def _show(editor: MessageEditor, translated: str, *, above: bool, heading: str) -> None:
    from html import escape

    head, shown = (escape(text, quote=False).replace("\n", "<br>\n") for text in (heading, translated))
    body = f'<div dir="auto">{shown}</div>'
    if above:
        editor.add_banner(f"{heading}\n\n{translated}\n\n{_RULE}", html=f"<div>{head}</div><br>{body}<hr>")
    else:
        editor.add_footer(f"{_RULE}\n\n{heading}\n\n{translated}", html=f"<hr><div>{head}</div><br>{body}")
