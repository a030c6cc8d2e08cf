"""A banner or a footer, and the mark that an invocation leaves when it has written one."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s

MARK_FIELD = "X-WorkMail-Edit"
"""The header field that holds a mark: of the message for a banner or footer, of a part for the part itself."""

# Ends what a damaged document left open, and shows nothing behind a sound one: a comment, a tag with or without an
# open quote, and each element in which tags are text.
_CLOSE_WHAT_IS_OPEN = (
    """<!--"'><!----></script></style></title></textarea></xmp></iframe></noembed></noframes></select></template>"""
)


class Place(StrEnum):
    """Where in a body an insertion goes."""

    TOP = "banner"
    BOTTOM = "footer"


@dataclass(frozen=True, slots=True)
class Insertion:
    r"""A banner or a footer.

    Attributes:
        place: Above or below the body.
        text: Lines joined by "\n", without white space around them or at their ends.
        markup: What HTML bodies get, in ASCII.
    """

    place: Place
    text: str
    markup: str


def new_insertion(place: Place, text: str, markup: str | None) -> Insertion:
    """What to write for a text.

    Args:
        place: Above or below.
        text: Plain text.
        markup: HTML for the same; None for the text, escaped.

    Raises:
        ValueError: The text is empty or holds what no text may.
    """
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", text)]
    text = "\n".join(lines).strip()
    if not text:
        raise ValueError(f"the {place} is empty; give the text to show")
    for given in (text, markup or ""):
        try:
            given.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"the {place} has a lone surrogate at {error.start}; give characters only") from error
    inner = html.escape(text, quote=False).replace("\n", "<br>\n") if markup is None else markup.strip()
    # Character references, so that no character set, declared or not, changes what is shown.
    inner = re.sub(r"\r\n|\r|\n", "\n", inner).encode("ascii", "xmlcharrefreplace").decode("ascii")
    closing = _CLOSE_WHAT_IS_OPEN if place is Place.BOTTOM else ""
    return Insertion(place, text, f"{closing}<div>{inner}</div>")


def new_mark(invocation_id: str, *what: str) -> str:
    """What says that an invocation has made an edit; nobody can write it who does not know the invocation's id.

    Args:
        invocation_id: The same for every retry of the event (E7), and unknown to the message's sender.
        what: The edit.
    """
    return blake2s("\0".join((invocation_id, *what)).encode("utf-8", "replace"), digest_size=16).hexdigest()
