"""The difference between two versions of a message, for people: decoded text, and hashes of binary parts."""

from __future__ import annotations

import difflib
import hashlib
from email import message_from_bytes
from typing import TYPE_CHECKING, Final, cast

from workmail_local.decode_encoded_words import decode_encoded_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

_LONGEST_TEXT: Final = 256 * 1024
"""Bytes of a text part that is compared line by line; longer ones take too long and nobody reads them."""


_MOST_LINES: Final = 10_000
"""Lines of a message that are compared; comparing can take quadratic time."""


def diff_messages(before: bytes, after: bytes) -> str:
    """Return a unified diff of two versions of a message; "" if their bytes are equal.

    For more than 10,000 lines, or parts nested too deep to be read, it gives the sizes alone.
    """
    if before == after:
        return ""
    sizes = f"{len(before):,} bytes before, {len(after):,} bytes after"
    try:
        old, new = _rendered(before), _rendered(after)
    except RecursionError:
        return f"changed, with parts nested too deep to compare: {sizes}"
    if max(len(old), len(new)) > _MOST_LINES:
        return f"changed, with too many lines to compare: {sizes}"
    lines = difflib.unified_diff(
        old,
        new,
        f"before ({len(before):,} bytes)",
        f"after ({len(after):,} bytes)",
        lineterm="",
    )
    return "\n".join(lines) or f"headers and bodies read the same; folding or encoding changed: {sizes}"


def _rendered(message: bytes) -> list[str]:
    return list(_part_lines(message_from_bytes(message), "message"))


def _part_lines(part: Message, name: str) -> Iterator[str]:
    for field, value in part.raw_items():
        yield f"{field}: {decode_encoded_words(' '.join(_printable(str(value)).split()))}"
    yield ""
    if part.is_multipart():
        for number, inner in enumerate(cast("list[Message]", part.get_payload()), 1):
            inner_name = f"part {number}" if name == "message" else f"{name}.{number}"
            yield f"--- {inner_name} ---"
            yield from _part_lines(inner, inner_name)
        return
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return
    if part.get_content_maintype() == "text" and len(content) <= _LONGEST_TEXT:
        yield from _decoded(content, part.get_content_charset()).splitlines()
    else:
        yield f"[{part.get_content_type()}, {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}]"


def _decoded(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", "replace")
    except LookupError:
        return content.decode("latin-1")


def _printable(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
