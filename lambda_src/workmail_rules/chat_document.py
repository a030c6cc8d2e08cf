"""What is posted to a chat: the administrator's text with its markup, and values of the message without any.

The values come from whoever sent the message. In a Slack message and a Teams card they stand in elements that have no
markup. In a document of the administrator's own they are escaped for the markup that its receiver knows.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from workmail_rules.message import Message

MAX_CHARACTERS: Final = 300
"""The longest value of a message in a post."""

_MAX_LISTED: Final = 10
"""The most recipients that are listed; the others are counted."""

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_ASCII_PUNCTUATION: Final = re.compile(r"([!-/:-@\[-`{-~])")


def values_of(message: Message) -> dict[str, str]:
    """Return all that may be shown of a message, each in one line."""
    event = message.event
    listed = ", ".join(message.recipients[:_MAX_LISTED])
    more = len(message.recipients) - _MAX_LISTED
    values = {
        "subject": event.subject,
        "sender": event.mail_from if event.sender is None else f"{event.sender} on behalf of {event.mail_from}",
        "recipients": f"and {more} more: {listed}" if more > 0 else listed,
        "recipient_count": str(len(message.recipients)),
        "direction": event.direction or "",
        "message_id": event.message_id or "",
    }
    return {name: one_line(value) or "(none)" for name, value in values.items()}


def one_line(text: str) -> str:
    """Return text in one line that can be read: no controls, nothing that hides or turns text, not too long."""
    start = text[: 4 * MAX_CHARACTERS]
    line = " ".join("".join(each if each.isprintable() else " " for each in start).split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…"


def slack_message(text: str, shown: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the document of an incoming webhook of Slack.

    The text elements of a rich text have no markup: mentions, links and emoji are elements of other types there.
    """
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    if shown:
        elements = [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": f"{label}: ", "style": {"bold": True}},
                    {"type": "text", "text": value},
                ],
            }
            for label, value in shown
        ]
        blocks.append({"type": "rich_text", "elements": elements})
    # Notifications show `text`, which is mrkdwn: nothing of the message is in it.
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def teams_message(text: str, shown: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the document of a Teams workflow that starts when a webhook request is received: an Adaptive Card.

    A text block and a fact know Markdown; a text run does not.
    """
    body: list[dict[str, Any]] = [{"type": "TextBlock", "text": text, "wrap": True}]
    body += [
        {
            "type": "RichTextBlock",
            "inlines": [
                {"type": "TextRun", "text": f"{label}: ", "weight": "Bolder"},
                {"type": "TextRun", "text": value},
            ],
        }
        for label, value in shown
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def filled(body: Any, values: dict[str, str], markup: str) -> Any:
    """Return the administrator's document with escaped values in place of `{subject}` and the like."""
    escape = ESCAPES[markup]
    match body:
        case str():
            return _PLACEHOLDER.sub(lambda found: escape(values[found[1]]), body)
        case dict():
            return {key: filled(each, values, markup) for key, each in body.items()}
        case list() | tuple():
            return [filled(each, values, markup) for each in body]
        case _:
            return body


def _html(value: str) -> str:
    from html import escape

    return escape(value)


def _markdown(value: str) -> str:
    """Escape all that CommonMark lets be escaped; a mention is broken for chats that look for it in the source."""
    return _ASCII_PUNCTUATION.sub(r"\\\1", value).replace("@", "@\u200b")


ESCAPES: Final[dict[str, Callable[[str], str]]] = {"NONE": str, "MARKDOWN": _markdown, "HTML": _html}
"""By the markup that a receiver knows."""
