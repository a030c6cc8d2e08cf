"""CloudWatch Logs' filter patterns for JSON, as its user guide describes them: a small reader of our own.

`{ SELECTOR OPERATOR "TEXT" }`, and such terms in parentheses with `&&` between them. A star at an end of the text is a
wildcard, and one within it is a star. A selector that finds no text matches nothing, whichever operator.
"""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r'\s*(?:(?P<sign>[{}()]|&&|!=|=)|(?P<path>\$(?:\.[A-Za-z0-9_-]+)+)|"(?P<text>(?:[^"\\]|\\.)*)")')


def matches(pattern: str, entry: Any) -> bool:
    """Whether a filter pattern matches an entry."""
    tokens = list(_tokens(pattern))
    assert (tokens[0], tokens[-1]) == (("sign", "{"), ("sign", "}")), pattern
    rest = tokens[1:-1]
    found = []
    while rest:
        if rest[0] == ("sign", "("):
            assert rest[4] == ("sign", ")"), pattern
            term, rest = rest[1:4], rest[5:]
        else:
            term, rest = rest[:3], rest[3:]
        found.append(_holds(term, entry))
        if rest:
            assert rest.pop(0) == ("sign", "&&"), pattern
    assert found, pattern
    return all(found)


def _tokens(pattern: str) -> Any:
    end = 0
    while end < len(pattern):
        token = _TOKEN.match(pattern, end)
        assert token is not None, f"{pattern!r} cannot be read from {end}"
        assert token.lastgroup is not None
        yield token.lastgroup, token[token.lastgroup]
        end = token.end()


def _holds(term: list[tuple[str, str]], entry: Any) -> bool:
    (path_kind, path), (sign_kind, sign), (text_kind, text) = term
    assert (path_kind, sign_kind, text_kind) == ("path", "sign", "text")
    value = entry
    for name in path.split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        return False
    equal = _fits(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL), value)
    return equal if sign == "=" else not equal


def _fits(text: str, value: str) -> bool:
    before, after = text.startswith("*"), text.endswith("*")
    core = text.strip("*") if len(text) > 1 else text.replace("*", "")
    if before and after:
        return core in value
    if before:
        return value.endswith(core)
    return value.startswith(core) if after else value == core
