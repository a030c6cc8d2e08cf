"""The addresses of an address field (RFC 5322 section 3.4), in the forms that real mail has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS: Final = "(<>,;:)"
# Possessive throughout: nothing is tried twice, whoever wrote the field.
_PIECE: Final = re.compile(
    r"""
      [(<>,;:)]
    | \s++
    | (?: "(?:[^"\\]++|\\.?+)*+"?+        # a quoted string; one without end takes the rest
        | \[[^][\\\s(<>,;")]*+\]          # a domain literal
        | \\.?+
        | [^\s"(<>,;:)[\\]++
        | \[
      )++
    """,
    re.VERBOSE | re.DOTALL,
)
_PARENTHESIS: Final = re.compile(r"\\.|[()]", re.DOTALL)


def addresses(field: str) -> Iterator[str]:
    """Yield the addresses of an unfolded field, without display names, comments, group names and routes.

    Takes linear time for any text. Addresses that lack a comma or a ">" between them are yielded one by one and never
    joined. Encoded words are not decoded: an address cannot have any (RFC 2047 section 5). The caller judges whether
    mail can go to an address.
    """
    words: list[list[str]] = []  # each in pieces, as white space and comments may stand around "." and "@"
    in_angles = named = False  # whether "<" is open; whether one was, so that the other words are a display name
    for piece in _pieces(field):
        if piece not in _MARKS:
            if words and (words[-1][-1].endswith((".", "@")) or piece.startswith((".", "@"))):
                words[-1].append(piece)
            else:
                words.append([piece])
            continue
        in_route = in_angles and piece in ",:" and bool(words) and words[0][0].startswith("@")
        # The name of a route, of a URL scheme or of a group is no address; neither is a display name.
        ends = piece != ":" and not in_route if in_angles else piece not in ":<" and not named
        if ends:
            yield from filter(_is_address, map("".join, words))
        words.clear()
        if piece in "<>":
            in_angles, named = piece == "<", True
        elif ends or not in_angles:
            in_angles = named = False


def _is_address(word: str) -> bool:
    mailbox, _, domain = word.rpartition("@")
    quoted = len(mailbox) > 1 and mailbox[0] == mailbox[-1] == '"'
    return bool(mailbox and domain) and '"' not in domain and (quoted or '"' not in mailbox)


def _pieces(field: str) -> Iterator[str]:
    """Yield words and marks; a comma marks the end."""
    position = 0
    while match := _PIECE.match(field, position):
        piece, position = match[0], match.end()
        if piece == "(":
            position = _comment_end(field, match.start())
        elif piece != ")" and not piece.isspace():
            yield piece
    yield ","


def _comment_end(field: str, start: int) -> int:
    depth = 0
    for match in _PARENTHESIS.finditer(field, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return len(field)
