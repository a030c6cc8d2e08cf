"""Patterns of policies: `*`, `?` and policy variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workmail_local.iam.not_evaluated import NotEvaluatedError
from workmail_local.iam.request_context import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workmail_local.iam.request_context import RequestContext

# The class excludes both braces, so that a row of `${` without an end is read once.
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
# `${*}`, `${?}` and `${$}` stand for the characters themselves.
_LITERALS = frozenset("*?$")
_ARN_PARTS = 6

# A compiled pattern is a list of tokens: single characters, and these words, which no character equals.
_ANY = "any characters"
_ONE = "one character"
_COLON = "end of an ARN's part"
_NOTHING = "no character"
_WILDCARDS = {"*": _ANY, "?": _ONE}


def matches(
    pattern: str, value: str, context: RequestContext, *, wildcards: bool = True, ignore_case: bool = False
) -> bool:
    """Whether a value matches a pattern.

    Args:
        pattern: `*` is any characters, `?` is one, `${aws:Key}` the value of a condition key, `${aws:Key, 'default'}`
            that value or the default; without value and default the pattern matches nothing.
        value: What to compare.
        context: Condition keys, for the variables; the `*` and `?` of their values stand for themselves.
        wildcards: Without, `*` and `?` stand for themselves.
        ignore_case: Compare without regard to case.

    Raises:
        NotEvaluatedError: It depends on a variable whose value is not known here.
    """
    if ignore_case:
        pattern, value = pattern.lower(), value.lower()
    tokens, unknown = _compile(pattern, context, _WILDCARDS if wildcards else {}, ignore_case=ignore_case)
    return _settled(_spells(tokens, value), pattern, unknown)


def matches_arn(pattern: str, arn: str, context: RequestContext) -> bool:
    """Whether an ARN matches a pattern part by part, so that no wildcard reaches over a colon into the next part.

    A pattern with fewer than six parts is completed with wildcards; `*` alone matches every ARN.

    Raises:
        NotEvaluatedError: It depends on a variable whose value is not known here.
    """
    if pattern == "*":
        return True
    tokens, unknown = _compile(pattern, context, _WILDCARDS | {":": _COLON})
    wanted: list[list[str]] = [[]]
    for token in tokens:
        if token is _COLON and len(wanted) < _ARN_PARTS:
            wanted.append([])
        else:
            wanted[-1].append(":" if token is _COLON else token)
    wanted += [[_ANY]] * (_ARN_PARTS - len(wanted))
    found = arn.split(":", _ARN_PARTS - 1)
    matched = len(found) == _ARN_PARTS and all(map(_spells, wanted, found))
    return _settled(matched, pattern, unknown)


def arn_parts(arn: str) -> list[str]:
    """Return the six parts of an ARN: `arn`, partition, service, Region, account, resource; a missing part is empty."""
    parts = arn.split(":", _ARN_PARTS - 1)
    return parts + [""] * (_ARN_PARTS - len(parts))


def _compile(
    pattern: str, context: RequestContext, words: Mapping[str, str], *, ignore_case: bool = False
) -> tuple[list[str], str | None]:
    """Return a pattern's tokens and the first variable whose value is not known, which is any characters for now."""
    tokens: list[str] = []
    unknown: str | None = None
    for position, part in enumerate(_VARIABLE.split(pattern)):
        if position % 2 == 0:
            tokens += [words.get(character, character) for character in part]
            continue
        name, _, default = (text.strip() for text in part.partition(","))
        values = (part,) if part in _LITERALS else values_of(name, context)
        if values is None or len(values) > 1:
            unknown = unknown or name
            tokens.append(_ANY)
            continue
        value = values[0] if values else default.strip("'")
        if value or values:
            tokens += value.lower() if ignore_case else value
        else:
            tokens.append(_NOTHING)
    return tokens, unknown


def _spells(tokens: Iterable[str], text: str) -> bool:
    """Whether the tokens match the whole text, in one pass over it whatever the wildcards.

    Bit n of `reached` says that the first n tokens match the text so far, wildcards for any characters not counted.
    """
    places: dict[str, int] = {}
    stays = 0
    place = 1
    for token in tokens:
        if token is _ANY:
            stays |= place
        else:
            places[token] = places.get(token, 0) | place
            place <<= 1
    one = places.get(_ONE, 0)
    reached = 1
    for character in text:
        reached = (reached & (places.get(character, 0) | one)) << 1 | reached & stays
        if not reached:
            return False
    return bool(reached & place)


def _settled(matched: bool, pattern: str, unknown: str | None) -> bool:
    if matched and unknown is not None:
        raise NotEvaluatedError(f"{pattern} was not evaluated: the value of {unknown} is not known here")
    return matched
