"""The text of a bounce (R3), bounded so that a reply stays within its limit (R8)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_BOUNCE_CHARACTERS: Final = 1_000
"""Ours, not WorkMail's: ten of the longest texts and 500 recipients stay below 256 KB (R7, R8, F16)."""


def bounce_text_problem(text: object) -> str | None:
    """Return what is wrong with a bounce's text, without the text, or None."""
    if not isinstance(text, str):
        return f"found a {type(text).__name__}; a bounce needs a text that says why the message is refused (R3)"
    if not text.strip():
        return "found an empty text; say why the message is refused"
    if len(text) > MAX_BOUNCE_CHARACTERS:
        return f"found a text of {len(text):,} characters; at most {MAX_BOUNCE_CHARACTERS:,} are allowed"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "found a lone surrogate, which UTF-8 cannot carry; remove it"
    return None
