"""What other parsers make of a message: none of them shares a line with the code under test."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any

import fast_mail_parser
import html5lib
from selectolax.lexbor import LexborHTMLParser

from tests.unit.edit.reading import leaves, read

if TYPE_CHECKING:
    from collections.abc import Iterator

# A browser shows nothing of what stands in these; select and textarea show it as a form's, which no mail program has.
_NOT_SHOWN = {"head", "title", "script", "style", "template", "noembed", "noframes", "iframe", "select", "textarea",
              "datalist", "audio", "video", "object", "desc", "metadata", "defs"}  # fmt: skip

_MEDIA_TYPE = re.compile(r"[^/\s]+/[^/\s]+")
_OUR_MARKUP = re.compile(r"<div>(Banner&#252;|Footer)</div>")


def shown_by_html5lib(document: str) -> str:
    """The text a reader sees, by the reference implementation of HTML's parsing rules."""
    root = html5lib.parse(document, treebuilder="etree", namespaceHTMLElements=False)
    return " ".join("".join(_etree_text(root)).split())


def _etree_text(element: Any) -> Iterator[str]:
    if not isinstance(element.tag, str):  # a comment
        yield element.tail or ""
        return
    tag = element.tag.rpartition("}")[2]
    if tag not in _NOT_SHOWN and not ("hidden" in element.attrib and tag not in {"html", "body"}):
        yield element.text or ""
        for child in element:
            yield from _etree_text(child)
    yield element.tail or ""


def shown_by_lexbor(document: str) -> str:
    """The text a reader sees, by a browser engine's parser."""
    root = LexborHTMLParser(document).root
    return " ".join("".join(_lexbor_text(root)).split()) if root else ""


def _lexbor_text(node: Any) -> Iterator[str]:
    if node.tag == "-text":
        yield node.text_content or ""
    elif node.tag not in _NOT_SHOWN and not ("hidden" in node.attributes and node.tag not in {"html", "body"}):
        for child in node.iter(include_text=True):
            yield from _lexbor_text(child)


@dataclass(frozen=True)
class Leaf:
    """A part without parts, as another parser reads it."""

    content_type: str
    content: bytes
    text: str


def leaves_by_stdlib(raw: bytes) -> list[Leaf]:
    """The leaves as Python's email package finds them."""
    return [_leaf(leaf.get_content_type(), _payload(leaf), leaf.get_content_charset()) for leaf in leaves(read(raw))]


def _payload(leaf: Message) -> bytes:
    if leaf.is_multipart():
        return b"".join(part.as_bytes() for part in leaf.get_payload() if isinstance(part, Message))
    payload = leaf.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def leaves_by_fast_mail_parser(raw: bytes) -> list[Leaf] | None:
    """The leaves as the mailparse library finds them; None where it gives up."""
    try:
        return list(_fast_leaves(fast_mail_parser.parse_email_tree(raw)))
    except fast_mail_parser.ParseError:
        return None


def require_same_parts_by_all(before: bytes, after: bytes, *, own: set[str]) -> None:
    """As `require_same_parts`, in the eyes of each parser that reads the message at all."""
    require_same_parts(leaves_by_stdlib(before), leaves_by_stdlib(after), own=own)
    leaves_before, leaves_after = leaves_by_fast_mail_parser(before), leaves_by_fast_mail_parser(after)
    if leaves_before is not None:
        assert leaves_after is not None
        require_same_parts(leaves_before, leaves_after, own=own)


def _fast_leaves(part: Any) -> Iterator[Leaf]:
    if part.children and not part.is_message:
        for child in part.children:
            yield from _fast_leaves(child)
        return
    declared = Message()
    for value in part.headers.get("Content-Type", [])[:1]:
        declared["Content-Type"] = value
    yield _leaf(part.content_type, part.content or b"", declared.get_content_charset())


def _leaf(content_type: str, content: bytes, charset: str | None) -> Leaf:
    try:
        text = content.decode(charset or "ascii", "replace")
    except (LookupError, ValueError):
        text = content.decode("latin-1")
    if not _MEDIA_TYPE.fullmatch(content_type):
        content_type = "text/plain"  # RFC 2045 section 5.2
    return Leaf(content_type, content, " ".join(text.split()))


def require_same_parts(before: list[Leaf], after: list[Leaf], *, own: set[str]) -> None:
    """Every part that was there is there, in its order and with its bytes; texts may have grown; what is new is ours.

    Args:
        before: The leaves as the message came.
        after: The leaves of the edited message.
        own: The texts that parts of ours hold.
    """
    assert _is_grown(before, after, own), (
        f"{[leaf.content_type for leaf in before]} became {[leaf.content_type for leaf in after]}: "
        f"{[leaf.text[:100] for leaf in after]}"
    )


def _is_grown(before: list[Leaf], after: list[Leaf], own: set[str]) -> bool:
    """Whether what was there can be found in what is there now, with nothing but our parts between."""
    if not after:
        return not before
    first, *others = after
    is_ours = first.content_type == "text/plain" and first.text in own
    if is_ours and _is_grown(before, others, own):
        return True
    return bool(before) and _is_still(before[0], first) and _is_grown(before[1:], others, own)


def _is_still(before: Leaf, after: Leaf) -> bool:
    if before.content_type != after.content_type:
        return False
    if before.content_type in {"text/plain", "text/html", "text/x-amp-html", "text/watch-html"}:
        was, now = (_OUR_MARKUP.sub("", "".join(leaf.text.split())) for leaf in (before, after))
        kept = b" ".join(before.content.removeprefix(b"\xef\xbb\xbf").split())
        return was.removeprefix("\ufeff") in now or kept in b" ".join(after.content.split())
    return before.content == after.content


def file_names(raw: bytes) -> set[str]:
    """Every file name that either parser offers to save, also from attached messages."""
    names = {name for part in read(raw).walk() if (name := part.get_filename())}
    with suppress(fast_mail_parser.ParseError):
        names |= {part.filename for part in fast_mail_parser.walk(fast_mail_parser.parse_email_tree(raw))}
    return {" ".join(name.split()) for name in names if name and name.strip()}
