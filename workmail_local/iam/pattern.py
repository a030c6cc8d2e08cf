"""Patterns of policies: `*`, `?` and policy variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"\$\{([^}]*)\}|(\*)|(\?)")
# `${*}`, `${?}` and `${$}` stand for the characters themselves.
_LITERALS = frozenset("*?$")
_ARN_PARTS = 6


def matches(pattern: str, value: str, keys: Mapping[str, str], *, wildcards: bool = True) -> bool:
    """Whether a value matches a pattern.

    Args:
        pattern: `*` is any characters, `?` is one, `${aws:Key}` the value of a condition key, `${aws:Key, 'default'}`
            that value or the default; without value and default the pattern matches nothing.
        value: Compared as it is, with its case.
        keys: Condition keys in lower case, for the variables; their own `*` and `?` stand for themselves.
        wildcards: Without, `*` and `?` stand for themselves.
    """
    expression = _expression(pattern, keys, wildcards=wildcards)
    return expression is not None and re.fullmatch(expression, value, re.DOTALL) is not None


def matches_arn(pattern: str, arn: str, keys: Mapping[str, str]) -> bool:
    """Whether an ARN matches a pattern part by part, so that no wildcard reaches over a colon into the next part.

    A pattern with fewer than six parts is completed with wildcards; `*` alone matches every ARN.
    """
    pattern_parts = _split_arn(pattern)
    pattern_parts += ["*"] * (_ARN_PARTS - len(pattern_parts))
    arn_parts = arn.split(":", _ARN_PARTS - 1)
    if pattern == "*":
        return True
    return len(arn_parts) == _ARN_PARTS and all(
        matches(wanted, found, keys) for wanted, found in zip(pattern_parts, arn_parts, strict=True)
    )


def _split_arn(pattern: str) -> list[str]:
    # Colons inside of a variable separate nothing.
    return re.split(r":(?![^$]*\})", pattern, maxsplit=_ARN_PARTS - 1)


def _expression(pattern: str, keys: Mapping[str, str], *, wildcards: bool) -> str | None:
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[end : token.start()]))
        end = token.end()
        variable = token[1]
        if variable is None:
            wildcard = ".*" if token[2] else "."
            parts.append(wildcard if wildcards else re.escape(token[0]))
            continue
        value = _value(variable, keys)
        if value is None:
            return None
        parts.append(re.escape(value))
    parts.append(re.escape(pattern[end:]))
    return "".join(parts)


def _value(variable: str, keys: Mapping[str, str]) -> str | None:
    if variable in _LITERALS:
        return variable
    name, _, default = variable.partition(",")
    return keys.get(name.strip().lower(), default.strip().strip("'") or None)
