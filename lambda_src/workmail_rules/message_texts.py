"""The texts of a message as a reader sees them: subject, bodies, text attachments, attached messages."""

from __future__ import annotations

import re
from functools import cache

from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from workmail_runtime.edit.mime_part import MimePart

MAX_BYTES: Final = 4 * 1024 * 1024
"""Text that is read of one message. Real mail has less than a tenth of it."""

_MAX_ATTACHED: Final = 5  # messages in one another
_MESSAGE_TYPES: Final = frozenset({"message/rfc822", "message/global"})
_TEXT_TYPES: Final = frozenset(
    {"application/json", "application/xml", "application/csv", "application/sql", "application/x-yaml"}
)
_TEXT_NAMES: Final = (".txt", ".csv", ".tsv", ".json", ".xml", ".htm", ".html", ".md", ".log", ".sql", ".yaml", ".yml")
_BOMS: Final = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))

_TAG: Final = re.compile(r"<(/?[A-Za-z][A-Za-z0-9]*+|[!?/])[^<>]*>")
# Tags that break no line: what stands before and behind them is read as one.
_INLINE: Final = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
    "var", "wbr", "!", "?",
})  # fmt: skip
_LONG_REFERENCE: Final = re.compile(r"&#[xX]?[0-9A-Fa-f]{8,}+;?")  # no character has such a number


def texts_of(raw: bytes) -> Iterator[str]:
    """Yield the texts of a message, one after the other, in a form to search: `simplified`.

    Raises:
        StepError: The message has more text, parts or attached messages than are read; raised behind the texts that
            are.
    """
    left = MAX_BYTES
    for text in _texts(raw, 0):
        left -= len(text)
        yield simplified(text[: left + len(text)] if left < 0 else text)
        if left < 0:
            message = f"the message has more text than the {MAX_BYTES:,} characters that are read"
            raise StepError(message)


def simplified(text: str) -> str:
    """Return a text without what cannot be seen, with plain digits, letters, spaces and dashes for others like them.

    NUL is left out first: UTF-16 without its label has one beside each plain letter.
    """
    text = text.replace("\0", "")
    return text if text.isascii() else text.translate(_plain())


def visible_text(html: str) -> str:
    """Return what an HTML text shows, in one pass; markup that is broken stays as it is."""
    from html import unescape

    first, *others = html.split("<!--")
    shown = first + "".join(each.partition("-->")[2] if "-->" in each else each for each in others)
    shown = _TAG.sub(_break, " ".join(shown.split()))
    return unescape(_LONG_REFERENCE.sub("", shown))


def _break(tag: re.Match[str]) -> str:
    return "" if tag[1].strip("/").lower() in _INLINE else "\n"


def _texts(raw: bytes | bytearray, depth: int) -> Iterator[str]:
    from workmail_runtime.edit.encoded_words import decode_words
    from workmail_runtime.edit.parse_message import parse_message
    from workmail_runtime.edit.refusal import EditRefusal

    root, problem = parse_message(raw)
    for field in root.block.find("subject"):
        yield decode_words(root.field_value(field))
    for part in root.walk():
        if part.content_type in _MESSAGE_TYPES:
            if depth == _MAX_ATTACHED:
                message = f"the message holds more than {_MAX_ATTACHED} messages in one another"
                raise StepError(message)
            yield from _texts(part.content(), depth + 1)
        elif not part.is_multipart and _is_text(part):
            text = _decoded(part)
            yield visible_text(text) if _is_html(part) else text
    if problem is not None and problem.reason in (EditRefusal.TOO_DEEP, EditRefusal.TOO_MANY_PARTS):
        raise problem


def _is_text(part: MimePart) -> bool:
    if part.content_type.startswith("text/") or part.content_type in _TEXT_TYPES:
        return True
    return any(name.lower().endswith(_TEXT_NAMES) for name in part.filenames)


def _is_html(part: MimePart) -> bool:
    return part.is_html or any(name.lower().endswith((".htm", ".html")) for name in part.filenames)


def _decoded(part: MimePart) -> str:
    """Return a part's text; bytes that its character set does not have are read as something."""
    from workmail_runtime.edit.charset import find_codec

    content = part.content()[: MAX_BYTES * 2]
    codec = next((name for bom, name in _BOMS if content.startswith(bom)), None)
    codec = codec or find_codec(part.parameters.get("charset") or "utf-8") or "latin-1"
    text = content.decode("utf-8" if codec == "ascii" else codec, "replace")
    if part.parameters.get("format", "").lower() == "flowed":
        text = text.replace(" \r\n", " ").replace(" \n", " ")  # RFC 3676: the line goes on
    return text


@cache
def _plain() -> dict[int, str | None]:
    from unicodedata import decimal

    marks = (range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2065))
    invisible = {0xAD, 0x034F, 0x061C, 0x180E, 0xFEFF}.union(*marks)
    table: dict[int, str | None] = dict.fromkeys(invisible)
    table |= dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
    table |= dict.fromkeys((*range(0x2010, 0x2016), 0x2043, 0x2212, 0xFE58, 0xFE63), "-")
    table |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    digits = ((code, decimal(chr(code), None)) for code in range(0x80, 0x20000))
    return table | {code: str(digit) for code, digit in digits if digit is not None}
