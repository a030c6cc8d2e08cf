"""`Banner`: a text above the body."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workmail_rules.message import Message


def run(message: Message, *, text: str, html: str | None) -> None:
    """Show the text above the body, in every alternative of it."""
    added = message.editor.add_banner(text, html=html)
    message.note("banner added" if added else "banner there already")
