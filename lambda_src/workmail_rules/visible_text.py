"""The text that a reader sees of a body, read in one pass, so that its time grows with the body alone."""

from __future__ import annotations

import re

from workmail_runtime.edit.encoded_words import decode_octets
from workmail_runtime.edit.transfer_encoding import decode_leniently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from workmail_runtime.edit import MessageEditor, MimePart

MAX_BODY_BYTES: Final = 256 * 1024
"""Encoded bytes of a body that are read; more than any person writes."""

# Quotes count only behind an equals sign, as in HTML. Nothing here is tried twice: the groups are atomic.
_TAG: Final = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*)((?>[^>"'=]+|=\s*"[^"]*"|=\s*'[^']*'|["'=])*+)>""")
_COMMENT: Final = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
_QUOTED: Final = re.compile(r""""[^"]*"|'[^']*'""")
_HIDDEN: Final = re.compile(r"(?:^|\s)hidden(?=[\s=/]|$)", re.IGNORECASE)
_STYLE: Final = re.compile(r"""(?:^|[\s"'])style\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
_HIDING: Final = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all)", re.IGNORECASE)
_RAW: Final = frozenset({"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"})
"""Elements in which tags are text, all of them not shown."""
_NOT_SHOWN: Final = frozenset({"audio", "datalist", "object", "select", "template", "video"})
_VOID: Final = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905 - reads better
)
_PARAGRAPHS: Final = frozenset("blockquote h1 h2 h3 h4 h5 h6 ol p pre table ul".split())  # noqa: SIM905
_LINES: Final = frozenset(
    "address article body center dd div dl dt fieldset figure footer form header hr li main nav section tr".split()  # noqa: SIM905
)
_CELLS: Final = frozenset({"td", "th"})


def readable_parts(editor: MessageEditor) -> list[MimePart]:
    """Return the parts that a mail program shows as text in place, as they came."""
    return [part for part in editor.parts if part.is_text and not part.is_attachment]


def part_text(part: MimePart) -> str:
    """Return the text of a part that a reader sees; of a long one its beginning. Never raises."""
    start = part.block.body_start
    encoded = bytes(part.raw[start : min(part.end, start + MAX_BODY_BYTES)])
    text = decode_octets(part.parameters.get("charset", ""), decode_leniently(encoded, part.transfer_encoding))
    return visible_text(text) if part.is_html else "\n".join(text.splitlines())


def visible_text(markup: str) -> str:
    """Return what a reader sees of HTML: lines for blocks, no comments, scripts, styles and hidden elements.

    Style sheets are not applied, so what they hide is in the text.
    """
    from html import unescape

    pieces: list[str] = []
    position, hidden, depth = 0, "", 0
    while position < len(markup):
        start = markup.find("<", position)
        start = len(markup) if start < 0 else start
        if not hidden:
            _add_words(pieces, re.sub(r"[ \t\r\n\f]+", " ", unescape(markup[position:start])))
        if start == len(markup):
            break
        if comment := _COMMENT.match(markup, start):
            position = comment.end()
            continue
        following = markup[start + 1 : start + 3]
        if not following.lstrip("/")[:1].isalpha() or not following[:1].isascii():
            position = start + 1
            if following[:1] in ("!", "?", "/"):  # a declaration, or what HTML takes for a comment
                position = markup.find(">", start) + 1 or len(markup)
            elif not hidden:
                pieces.append("<")
            continue
        tag = _TAG.match(markup, start)
        if tag is None:
            break  # a tag that nothing ends: nothing behind it is shown
        position = tag.end()
        is_end, name, attributes = bool(tag[1]), tag[2].lower(), tag[3]
        if hidden:
            if name == hidden and not (depth := depth + (-1 if is_end else 1)):
                hidden = ""
        elif not is_end and name in _RAW:
            found = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(markup, position)
            position = found.start() if found else len(markup)
        elif not is_end and name not in _VOID and (name in _NOT_SHOWN or _is_hidden(attributes)):
            hidden, depth = name, 1
        else:
            _add_space(pieces, name)
    lines = [re.sub(" +", " ", line).strip() for line in "".join(pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _add_words(pieces: list[str], words: str) -> None:
    """Add text between two tags; white space at the beginning of a line is not shown."""
    if words.strip(" ") or (words and not _is_new_line(pieces)):
        pieces.append(words)


def _add_space(pieces: list[str], name: str) -> None:
    """Add what a tag shows: a block begins on a new line."""
    if name in _PARAGRAPHS:
        pieces.append("\n\n")
    elif name == "br" or (name in _LINES and not _is_new_line(pieces)):
        pieces.append("\n")
    elif name in _CELLS:
        _add_words(pieces, " ")


def _is_new_line(pieces: list[str]) -> bool:
    return not pieces or pieces[-1].endswith("\n")


def _is_hidden(attributes: str) -> bool:
    return _HIDDEN.search(_QUOTED.sub('""', attributes)) is not None or any(
        _HIDING.search(style[1]) for style in _STYLE.finditer(attributes)
    )
