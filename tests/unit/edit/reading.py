"""Reads messages with the standard library, the way a recipient's program would: apart from the code under test."""

from __future__ import annotations

import html
from email import message_from_bytes, policy
from email.message import Message
from html.parser import HTMLParser

INVOCATION = "0123456789abcdef0123456789abcdef"
CHANGEABLE = ("content-", "mime-version", "subject", "x-workmail-edit")


def read(raw: bytes) -> Message:
    """Read by the strict new policy, or by the old one where that finds something wrong or fails itself."""
    try:
        message = message_from_bytes(raw, policy=policy.default)
        if not any(part.get("Content-Type") and part["Content-Type"].defects for part in message.walk()):
            return message
    except (ValueError, AttributeError, IndexError):
        pass
    return message_from_bytes(raw, policy=policy.compat32)


def other_headers(raw: bytes) -> list[tuple[str, str]]:
    """The header but for what edits may touch, as it stands."""
    message = message_from_bytes(raw)
    return [(name, value) for name, value in message.raw_items() if not name.lower().startswith(CHANGEABLE)]


def leaves(message: Message) -> list[Message]:
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        return [message]
    parts = message.get_payload()
    assert isinstance(parts, list)
    return [leaf for part in parts if isinstance(part, Message) for leaf in leaves(part)]


def texts(raw: bytes) -> list[tuple[str, str]]:
    """Type and visible text of each text that is shown in place."""
    return [
        (leaf.get_content_type(), visible(leaf))
        for leaf in leaves(read(raw))
        if leaf.get_content_maintype() == "text" and leaf.get_content_disposition() != "attachment"
    ]


def visible(leaf: Message) -> str:
    charset = leaf.get_content_charset("ascii")
    payload = leaf.get_payload(decode=True)
    assert isinstance(payload, bytes)
    try:
        text = payload.decode(charset, "surrogateescape" if charset == "ascii" else "replace")
    except LookupError:
        text = payload.decode("latin-1")
    if leaf.get_content_type() != "text/plain":
        text = _shown(text)
    return " ".join(text.split())


def files(raw: bytes) -> list[tuple[str, str | None, object]]:
    """Everything that is no text shown in place, its content as it stands on the wire."""
    return [
        (leaf.get_content_type(), leaf.get_filename(), _content(leaf))
        for leaf in leaves(message_from_bytes(raw, policy=policy.compat32.clone(cte_type="8bit")))
        if leaf.get_content_maintype() != "text" or leaf.get_content_disposition() == "attachment"
    ]


def _content(leaf: Message) -> object:
    payload = leaf.get_payload()
    return [part.as_bytes() for part in payload if isinstance(part, Message)] if isinstance(payload, list) else payload


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"style", "script", "title"}
        self.text += " "

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "script", "title"}
        self.text += " "

    def handle_data(self, data: str) -> None:
        if self._hidden <= 0:
            self.text += data

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        end = self.rawdata.find(">", i)
        return -1 if end < 0 else end + 1


def _shown(document: str) -> str:
    parser = _Text()
    parser.feed(document)
    return html.unescape(parser.text)
