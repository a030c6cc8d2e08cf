"""What a reader of a message sees: its HTML or text, and what is attached. Its HTML is as hostile as its sender.

Nothing here makes HTML safe to put into a page. It is for a frame without scripts, under a policy without network. Only
what such a frame does not stop is renamed: `<a>` to `<not-a>`, for example.
"""

from __future__ import annotations

import base64
import html
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workmail_local.decode_encoded_words import decode_encoded_words
from workmail_local.mail.mime_part import parts_of
from workmail_local.message_head import MessageHead

if TYPE_CHECKING:
    from workmail_local.mail.mime_part import MimePart

MOST_SHOWN: Final = 1024 * 1024
"""Bytes of all bodies that are shown; a browser takes seconds for more, and nobody reads it."""

MOST_INLINED: Final = 4 * 1024 * 1024
"""Bytes that pictures of the message add to its HTML; one picture can be named any number of times."""

_MOST_ATTACHMENTS: Final = 500
"""F16; a message in a file may have more."""

_PICTURES: Final = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_CID: Final = re.compile(r"cid:([^\s\"'<>()]{1,250}+)", re.IGNORECASE)

# A browser connects to the host of such an element before it asks any policy, or follows it when a person clicks with
# Ctrl or Shift. No element is one of them unless its tag has these characters and one of these ends.
_INERT: Final = re.compile(
    r"<(/?)(?=(?:a|area|base|embed|fencedframe|form|frame|iframe|link|meta|object|portal)(?:[\s/>]|\Z))", re.IGNORECASE
)

_REMOTE: Final = re.compile(
    r"""(?:\b(?:src|srcset|background|poster)\s{0,9}+=\s{0,9}+["']?\s{0,9}+|\burl\(\s{0,9}+["']?)(?:https?:)?//""",
    re.IGNORECASE,
)


@dataclass(slots=True)
class ReadableMessage:
    """A message as a mail program shows it.

    Attributes:
        subject: Decoded.
        html: For a frame without scripts and network; None if no part of it is HTML.
        text: Its plain text; None if `html` is given, or if there is nothing to read.
        attachments: `name`, `type` and `size` of each, up to 500.
        remote: How many references to files on other hosts the HTML has.
        cut: Whether there is more to read than `MOST_SHOWN`.
    """

    subject: str
    html: str | None = None
    text: str | None = None
    attachments: list[dict[str, Any]] = field(default_factory=list)
    remote: int = 0
    cut: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what the HTTP API answers."""
        return {
            "subject": self.subject,
            "html": self.html,
            "text": self.text,
            "attachments": self.attachments,
            "remote": self.remote,
            "cut": self.cut,
        }


def readable_message(content: bytes) -> ReadableMessage:
    """Return what a reader sees of a message. Never fails, and takes time that grows with the number of bytes."""
    parts = parts_of(content)
    inside: defaultdict[str, list[MimePart]] = defaultdict(list)
    for part in parts[1:]:
        inside[part.name.rpartition(".")[0] or "message"].append(part)
    readable = ReadableMessage(MessageHead.parse(content).subject)
    bodies = _bodies(parts[0], inside, readable)
    texts: list[str] = []
    left = MOST_SHOWN
    for body in bodies:
        texts.append(body.text(left))
        size = len(body.decoded())
        readable.cut |= size > left
        left = max(0, left - size)
    if not any(body.content_type == "text/html" for body in bodies):
        readable.text = "\n".join(texts) if texts else None
        return readable
    markup = "\n".join(
        text if body.content_type == "text/html" else f"<pre>{html.escape(text)}</pre>"
        for body, text in zip(bodies, texts, strict=True)
    )
    readable.remote = sum(1 for _ in _REMOTE.finditer(markup))
    readable.html = _with_pictures(_INERT.sub(r"<\1not-", markup), parts)
    return readable


def _bodies(part: MimePart, inside: dict[str, list[MimePart]], readable: ReadableMessage) -> list[MimePart]:
    """Return the parts that are read one after another; add the attachments to `readable`."""
    if part.is_leaf or part.content_type == "message/rfc822":
        if part.content_type in {"text/plain", "text/html"} and not _is_attached(part):
            return [part]
        if len(readable.attachments) < _MOST_ATTACHMENTS and (part.name != "message" or part.end > part.body):
            readable.attachments.append(_attachment(part))
        return []
    choices = [_bodies(each, inside, readable) for each in inside[part.name]]
    if part.content_type != "multipart/alternative":
        return [body for choice in choices for body in choice]
    # The last one that can be shown is the best (RFC 2046 section 5.1.4); HTML shows what an edit of the message did.
    html_ones = [choice for choice in choices if any(body.content_type == "text/html" for body in choice)]
    return next(filter(None, reversed(html_ones or choices)), [])


def _is_attached(part: MimePart) -> bool:
    disposition = next(iter(part.values("content-disposition")), "")
    return disposition.lower().startswith("attachment") or part.file_name is not None


def _attachment(part: MimePart) -> dict[str, Any]:
    name = part.file_name
    return {
        "name": decode_encoded_words(name)[:250] if name else part.name,
        "type": part.content_type,
        "size": len(part.decoded()),
    }


def _with_pictures(markup: str, parts: list[MimePart]) -> str:
    """Return the HTML with the message's own pictures in place of their `cid:` addresses (RFC 2392)."""
    pictures = {
        value.strip().strip("<>"): part
        for part in parts
        if part.content_type in _PICTURES
        for value in part.values("content-id")
    }
    left = MOST_INLINED

    def inlined(match: re.Match[str]) -> str:
        nonlocal left
        picture = pictures.get(match[1])
        if picture is None or picture.end - picture.body > left:
            return match[0]
        data = base64.b64encode(picture.decoded()).decode("ascii")
        left -= max(len(data), picture.end - picture.body)  # what decodes to nothing takes time nevertheless
        return f"data:{picture.content_type};base64,{data}"

    return _CID.sub(inlined, markup)
