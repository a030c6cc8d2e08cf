"""`Footer`: a text below the body."""

from __future__ import annotations

import re

from workmail_flow.vocabulary import FlowDirection
from workmail_rules.filled_text import filled_texts
from workmail_rules.visible_text import part_text, readable_parts, visible_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from workmail_rules.message import Message
    from workmail_runtime.edit import MessageEditor

# How mail programs write a link into the plain text of a reply: behind the link's own words.
_LINK_TARGET: Final = re.compile(r"<(?:https?:|mailto:)[^<>\s]*>")


def run(message: Message, *, text: str | None, html: str | None, repeat: bool) -> None:
    """Show the text below the body, in every alternative of it.

    Outbound mail that shows it already, as a reply that quotes one, does not get it again. Inbound mail always gets it:
    its sender could keep it away by writing it.
    """
    shown, markup = filled_texts(text, html, message)
    is_own_mail = message.direction is FlowDirection.OUTBOUND
    if is_own_mail and not repeat and _is_shown(message.parsed, shown, visible_text(markup) if markup else shown):
        message.note("shown already")
        return
    added = message.editor.add_footer(shown, html=markup)
    message.note("added" if added else "added by an earlier attempt")


def _is_shown(editor: MessageEditor, text: str, text_of_html: str) -> bool:
    """Whether every text that a mail program may choose shows the footer, on lines of its own."""
    parts = readable_parts(editor)
    patterns = {False: _lines_pattern(text), True: _lines_pattern(text_of_html)}
    return bool(parts) and all(
        (pattern := patterns[part.is_html]) is not None and pattern.search(_words(part_text(part))) is not None
        for part in parts
    )


def _words(text: str) -> str:
    """Return the words of each line: neither quote marks count, nor the punctuation that programs make typographic."""
    text = _LINK_TARGET.sub(" ", text.casefold())
    return "\n".join(" ".join(re.findall(r"\w+", line)) for line in text.splitlines())


def _lines_pattern(text: str) -> re.Pattern[str] | None:
    """Return what finds a text that begins and ends with a line, however mail programs wrapped it between."""
    words = _words(text).split()
    return re.compile("^" + "[ \n]+".join(words) + "$", re.MULTILINE) if words else None
