"""`SubjectPrefix`: a word before the subject."""

from __future__ import annotations

from workmail_rules.filled_text import fill_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workmail_rules.message import Message


def run(message: Message, *, prefix: str) -> None:
    """Put the prefix before the subject, unless a reader sees it there already."""
    added = message.editor.prefix_subject(fill_text(prefix, message))
    message.note("added" if added else "there already")
