"""Texts with placeholders, filled from a message. All values are the sender's, so they are cleaned."""

from __future__ import annotations

from workmail_flow.placeholders import PLACEHOLDER, PLACEHOLDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from workmail_rules.message import Message

MAX_VALUE: Final = 100
"""Characters of a value; more are left out. An address keeps its end, which says where it is from."""

NO_VALUE: Final = "-"
"""What stands for an empty value: mail without a subject, or from the null sender, which bounces have."""

_MAX_MARKS: Final = 3  # combining marks on one letter; more of them write over the lines above and below
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


def fill_text(template: str, message: Message) -> str:
    """Return a plain text with its placeholders filled."""
    return PLACEHOLDER.sub(lambda found: _isolated(_value(found[1], message)) or found[0], template)


def fill_html(template: str, message: Message) -> str:
    """Return markup with its placeholders filled; values are escaped, and cannot turn the text around them."""
    from html import escape

    def filled(name: str) -> str:
        value = _value(name, message)
        return f"<bdi>{escape(value)}</bdi>" if value else f"{{{name}}}"

    return PLACEHOLDER.sub(lambda found: filled(found[1]), template)


def filled_texts(text: str | None, html: str | None, message: Message) -> tuple[str, str | None]:
    """Return the plain text and the markup of a step that was given at least one of them, both filled.

    Plain text is derived from markup. Markup is derived from plain text only if values have to be set off in it; the
    editor does the rest.
    """
    if text is None:
        from workmail_rules.visible_text import visible_text

        text = visible_text(html or "")
    elif html is None and PLACEHOLDER.search(text):
        from html import escape

        html = "<br>\n".join(escape(line, quote=False) for line in text.strip().splitlines())
    return fill_text(text, message), None if html is None else fill_html(html, message)


def clean(value: str, *, keep_end: bool = False) -> str:
    """Return a value as one line of characters that show, `MAX_VALUE` at most.

    Controls, line ends, zero-width characters and what turns the direction of text become spaces.
    """
    value = value[-20 * MAX_VALUE :] if keep_end else value[: 20 * MAX_VALUE]
    value = " ".join("".join(each if each.isprintable() else " " for each in value).split())
    if not value.isascii():
        value = _without_stacks(value)
    if len(value) > MAX_VALUE:
        value = f"…{value[1 - MAX_VALUE :]}" if keep_end else f"{value[: MAX_VALUE - 1]}…"
    return value


def _value(name: str, message: Message) -> str:
    """Return a cleaned value, never empty; empty only for what is no placeholder.

    Nothing here changes when an invocation is tried again, perhaps on the updated message: a banner with another text
    would be another banner. So subject and sender are the event's, and the date is the header's.
    """
    if name not in PLACEHOLDERS:
        return ""
    match name:
        case "sender":
            value = clean(message.event.mail_from, keep_end=True)
        case "sender_domain":
            value = clean(message.event.mail_from.rpartition("@")[2], keep_end=True)
        case "subject":
            value = clean(message.event.subject)
        case _:
            value = _date(message.parsed.header("Date") or "")
    return value or NO_VALUE


def _date(header: str) -> str:
    """Return the date that the sender wrote; empty if it cannot be read as one."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(header[:MAX_VALUE]).isoformat(sep=" ", timespec="minutes")
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _without_stacks(value: str) -> str:
    from unicodedata import category

    kept: list[str] = []
    marks = 0
    for each in value:
        marks = marks + 1 if category(each).startswith("M") else 0
        if marks <= _MAX_MARKS:
            kept.append(each)
    return "".join(kept)


def _isolated(value: str) -> str:
    """Keep a value that is written from right to left from moving the words around it (UAX 9)."""
    if value.isascii():
        return value
    from unicodedata import bidirectional

    return f"\u2068{value}\u2069" if any(bidirectional(each) in _RIGHT_TO_LEFT for each in value) else value
