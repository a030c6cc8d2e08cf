"""What `NotifyChat` posts, by the kind of chat."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from workmail_constructs.stack_record import is_known
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_TEXT: Final = 3_000
"""Characters of a section of a Slack message; a Teams card has room for as many."""

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


class Shown(StrEnum):
    """What a post may show of a message. The body is never posted."""

    SUBJECT = "SUBJECT"
    """The first 256 characters (E5)."""
    SENDER = "SENDER"
    RECIPIENTS = "RECIPIENTS"
    """Those the step is for; the first ten, and how many more."""
    RECIPIENT_COUNT = "RECIPIENT_COUNT"
    DIRECTION = "DIRECTION"
    MESSAGE_ID = "MESSAGE_ID"
    """What fetches the content (E8)."""

    @property
    def label(self) -> str:
        """What stands before it in a post."""
        return self.value.replace("_", " ").capitalize()


class Markup(StrEnum):
    """What the receiver of a document of your own makes of text."""

    NONE = "NONE"
    """It shows text as it is."""
    MARKDOWN = "MARKDOWN"
    HTML = "HTML"


AnyShown: TypeAlias = Shown | Literal["SUBJECT", "SENDER", "RECIPIENTS", "RECIPIENT_COUNT", "DIRECTION", "MESSAGE_ID"]
AnyMarkup: TypeAlias = Markup | Literal["NONE", "MARKDOWN", "HTML"]


class Chat(ABC):
    """The base of `Slack`, `Teams` and `Webhook`."""

    @abstractmethod
    def configuration(self) -> Mapping[str, object]:
        """Return what the running step makes the document of."""


@dataclass(frozen=True, slots=True)
class _Post(Chat):
    text: str
    show: Sequence[AnyShown] = ()

    def __post_init__(self) -> None:
        name = type(self).__name__
        if isinstance(self.show, str):
            raise TypeError(f"{name}.show: found the string {self.show!r}; give a list: [{self.show!r}]")
        if not self.text.strip() or (is_known(self.text) and len(self.text) > _MAX_TEXT):
            raise ValueError(f"{name}.text: found {len(self.text)} characters; give 1 to {_MAX_TEXT}")
        self._shown()

    def configuration(self) -> Mapping[str, object]:
        """Return what the running step makes the document of."""
        shown = [[each.lower(), each.label] for each in self._shown()]
        return {"chat": type(self).__name__.upper(), "text": self.text, "show": shown}

    def _shown(self) -> list[Shown]:
        return [one_of(Shown, each, argument=f"{type(self).__name__}.show") for each in self.show]


@dataclass(frozen=True, slots=True)
class Slack(_Post):
    """A post in Slack, through an incoming webhook of a Slack app.

    Args:
        text: Your text, at most 3,000 characters of Slack's mrkdwn: `<!here>` in it pings.
        show: What of the message stands below it; nothing by default. It cannot ping, link or be formatted.
    """


@dataclass(frozen=True, slots=True)
class Teams(_Post):
    """A card in Microsoft Teams, through a workflow that starts when a webhook request is received.

    Args:
        text: Your text, at most 3,000 characters of the Markdown of Adaptive Cards.
        show: What of the message stands below it; nothing by default. It cannot ping, link or be formatted.
    """


@dataclass(frozen=True, slots=True)
class Webhook(Chat):
    """A JSON document of your own, for any other webhook.

    Args:
        body: The document. In its texts `{subject}`, `{sender}`, `{recipients}`, `{recipient_count}`, `{direction}` and
            `{message_id}` stand for what they name.
        markup: What the receiver makes of text; what stands for a placeholder is escaped for it.
    """

    body: Mapping[str, object]
    markup: AnyMarkup

    def __post_init__(self) -> None:
        one_of(Markup, self.markup, argument="Webhook.markup")
        try:
            json.dumps(self.body, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Webhook.body: found what JSON cannot hold: {error}") from None
        known = [each.lower() for each in Shown]
        if unknown := sorted({f"{{{name}}}" for name in _placeholders(self.body) if name not in known}):
            allowed = ", ".join(f"{{{name}}}" for name in known)
            raise ValueError(f"Webhook.body: found {', '.join(unknown)}; allowed: {allowed}")

    def configuration(self) -> Mapping[str, object]:
        """Return what the running step makes the document of."""
        return {"chat": "WEBHOOK", "body": self.body, "markup": one_of(Markup, self.markup, argument="markup").value}


def _placeholders(value: object) -> Iterator[str]:
    match value:
        case str():
            yield from _PLACEHOLDER.findall(value)
        case Mapping():
            for each in value.values():
                yield from _placeholders(each)
        case list() | tuple():
            for each in value:
                yield from _placeholders(each)
