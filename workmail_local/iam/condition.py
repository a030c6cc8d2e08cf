"""The `Condition` of a policy statement."""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workmail_local.iam.pattern import matches, matches_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_Matcher = Callable[[str, str, "Mapping[str, str]"], bool]

# Keys that AWS gives to every request; without a value for one here, a condition on it is neither true nor false.
_ALWAYS_PRESENT = frozenset(
    {"aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:securetransport", "aws:sourceip"}
)


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """Whether a condition holds.

    Attributes:
        reason: The first part that does not hold, if any.
        evaluated: False if that part is one this evaluator does not know, so that it may hold in AWS.
    """

    holds: bool
    reason: str = ""
    evaluated: bool = True


def evaluate_condition(condition: Mapping[str, Any], keys: Mapping[str, str]) -> ConditionResult:
    """Evaluate a condition block; all its parts must hold.

    Args:
        condition: Operators to keys to one or more values, of which one must match (none, for negated operators).
        keys: The request's context by lower-case key.
    """
    for operator_name, block in condition.items():
        for key, wanted in block.items():
            result = _part(operator_name, key, _texts(wanted), keys)
            if not result.holds:
                return result
    return ConditionResult(holds=True)


def _part(operator_name: str, key: str, wanted: Sequence[str], keys: Mapping[str, str]) -> ConditionResult:
    quantifier, _, plain = operator_name.rpartition(":")
    base = plain.removesuffix("IfExists")
    value = keys.get(key.lower())
    shown = f"{operator_name} {key} {' or '.join(wanted)}"
    if quantifier not in {"", "ForAllValues", "ForAnyValue"} or (base != "Null" and base not in _OPERATORS):
        return ConditionResult(False, f"{operator_name} was not evaluated: the operator is not known here", False)
    if base == "Null":
        wants_absence = wanted[0].lower() == "true"
        is_absent = value is None and key.lower() not in _ALWAYS_PRESENT
        return _result(wants_absence == is_absent, f"{shown}, but it is {'absent' if is_absent else 'present'}")
    matcher, is_negated = _OPERATORS[base]
    if value is None:
        if key.lower() in _ALWAYS_PRESENT:
            return ConditionResult(False, f"{shown} was not evaluated: the key has no value here", False)
        # A negated operator holds for an absent key.
        holds = is_negated or plain != base or quantifier == "ForAllValues"
        return _result(holds, f"{shown}, but the request has no {key}")
    try:
        matched = any(matcher(item, value, keys) for item in wanted)
    except ValueError as error:
        return _result(False, f"{shown}: {error}")
    return _result(matched != is_negated, f"{shown}, but it is {value}")


def _result(holds: bool, reason: str) -> ConditionResult:
    return ConditionResult(holds, "" if holds else f"its condition wants {reason}")


def _texts(value: Any) -> Sequence[str]:
    items = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]


def _equals(wanted: str, value: str, keys: Mapping[str, str]) -> bool:
    return matches(wanted, value, keys, wildcards=False)


def _equals_ignoring_case(wanted: str, value: str, keys: Mapping[str, str]) -> bool:
    folded = {key: item.lower() for key, item in keys.items()}
    return matches(wanted.lower(), value.lower(), folded, wildcards=False)


def _bool(wanted: str, value: str, _keys: Mapping[str, str]) -> bool:
    return wanted.lower() == value.lower()


def _in_network(wanted: str, value: str, _keys: Mapping[str, str]) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


def _numeric(compare: Callable[[Any, Any], bool]) -> _Matcher:
    return lambda wanted, value, _keys: compare(float(value), float(wanted))


def _date(compare: Callable[[Any, Any], bool]) -> _Matcher:
    return lambda wanted, value, _keys: compare(_instant(value), _instant(wanted))


def _instant(text: str) -> datetime:
    if text.replace(".", "", 1).isdigit():
        return datetime.fromtimestamp(float(text), UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# Each operator with whether it is negated: then no value may match, and an absent key matches.
_OPERATORS: dict[str, tuple[_Matcher, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (matches, False),
    "StringNotLike": (matches, True),
    "ArnEquals": (matches_arn, False),
    "ArnLike": (matches_arn, False),
    "ArnNotEquals": (matches_arn, True),
    "ArnNotLike": (matches_arn, True),
    "Bool": (_bool, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "NumericEquals": (_numeric(operator.eq), False),
    "NumericNotEquals": (_numeric(operator.eq), True),
    "NumericLessThan": (_numeric(operator.lt), False),
    "NumericLessThanEquals": (_numeric(operator.le), False),
    "NumericGreaterThan": (_numeric(operator.gt), False),
    "NumericGreaterThanEquals": (_numeric(operator.ge), False),
    "DateEquals": (_date(operator.eq), False),
    "DateNotEquals": (_date(operator.eq), True),
    "DateLessThan": (_date(operator.lt), False),
    "DateLessThanEquals": (_date(operator.le), False),
    "DateGreaterThan": (_date(operator.gt), False),
    "DateGreaterThanEquals": (_date(operator.ge), False),
}
