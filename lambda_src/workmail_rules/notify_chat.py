"""`NotifyChat`: a post in a chat about a message."""

from __future__ import annotations

import json
import re
import time
from functools import cache

from workmail_rules.chat_document import filled, slack_message, teams_message, values_of
from workmail_rules.secret import forget_secret, read_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final

    from workmail_rules.message import Message

MAX_WAIT_S: Final = 5.0
"""How long mail waits for a chat. An asynchronous rule takes all its time."""

_MAX_HEADER_CHARACTERS: Final = 2_000
"""How much of a header field is searched."""

_CHATS: Final[dict[str, Callable[..., dict[str, Any]]]] = {"SLACK": slack_message, "TEAMS": teams_message}
_REFUSED_STATUS: Final = frozenset({401, 403, 404, 410})
"""The answers after which the URL is read again next time: it may have been replaced."""


def run(
    message: Message,
    *,
    webhook: str,
    document: Mapping[str, Any],
    subject_words: tuple[str, ...],
    sender_words: tuple[str, ...],
    header_words: Mapping[str, tuple[str, ...]],
) -> None:
    """Post to the webhook, whose URL is in a secret, if the message has the words."""
    event = message.event
    senders = [event.mail_from, event.sender or ""]
    if not (
        _has_word((event.subject,), subject_words)
        and _has_word(senders, sender_words)
        and all(_has_word(_headers(message, name), words) for name, words in header_words.items())
    ):
        message.note("the message has none of the words")
        return

    def post() -> None:
        from workmail_rules.webhook import WebhookError, post_json  # TLS and HTTP, only where there is a post

        deadline = min(message.deadline, time.monotonic() + MAX_WAIT_S) if event.mail_waits else message.deadline
        body = json.dumps(_document(message, **document), ensure_ascii=False).encode()
        try:
            post_json(read_secret(webhook, deadline=deadline), body, deadline=deadline)
        except WebhookError as error:
            if error.status in _REFUSED_STATUS:
                forget_secret(webhook)
            raise

    message.once("post", post)
    message.note("posted")


def _document(
    message: Message,
    *,
    chat: str,
    text: str = "",
    show: tuple[tuple[str, str], ...] = (),
    body: object = None,
    markup: str = "",
) -> Any:
    values = values_of(message)
    if chat in _CHATS:
        return _CHATS[chat](text, [(label, values[name]) for name, label in show])
    return filled(body, values, markup)


def _headers(message: Message, name: str) -> list[str]:
    from workmail_runtime.edit.encoded_words import decode_words
    from workmail_runtime.edit.header_block import parse_header_block
    from workmail_runtime.edit.reading import Reading

    raw = message.raw
    block = parse_header_block(raw, 0, len(raw), part="the message", reading=Reading(len(raw)))
    found = block.find(name)
    return [decode_words(raw[each.value_start : each.end])[:_MAX_HEADER_CHARACTERS] for each in found]


def _has_word(texts: Iterable[str], words: tuple[str, ...]) -> bool:
    """Whether any of the texts has any of the words; without words, every text has."""
    return not words or any(_pattern(words).search(_comparable(text)) for text in texts)


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds whole words: no letter, digit or underscore stands beside them."""
    alternatives = "|".join(re.escape(_comparable(word)) for word in words)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")


def _comparable(text: str) -> str:
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    return normalize("NFKC", text.casefold())
