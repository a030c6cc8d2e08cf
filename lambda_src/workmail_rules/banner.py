"""`Banner`: a text above the body."""

from __future__ import annotations

from workmail_rules.filled_text import filled_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workmail_rules.message import Message


def run(message: Message, *, text: str | None, html: str | None) -> None:
    """Show the text above the body, in every alternative of it, whatever the message says already."""
    shown, markup = filled_texts(text, html, message)
    added = message.editor.add_banner(shown, html=markup)
    message.note("added" if added else "added by an earlier attempt")
