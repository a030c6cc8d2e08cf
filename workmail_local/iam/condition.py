"""The `Condition` of a policy statement."""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from workmail_local.iam.not_evaluated import NotEvaluatedError, first
from workmail_local.iam.pattern import matches, matches_arn
from workmail_local.iam.request_context import ALWAYS_SUPPLIED, RequestContext, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_Matcher = Callable[[str, str, RequestContext], bool]

_SET_OPERATORS = frozenset({"", "ForAllValues", "ForAnyValue"})
# Python's own conversions also take underscores, other scripts' digits, `nan` and `inf`.
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?")
_EPOCH_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def condition_mismatch(condition: Mapping[str, Any], context: RequestContext) -> str | None:
    """Return the first part of a condition block that does not hold, or None if all hold.

    Args:
        condition: Operators to keys to one or more values, of which one must match (none, for negated operators).
        context: The request's condition keys.

    Raises:
        NotEvaluatedError: Nothing is known not to hold, but a part cannot be decided here.
    """
    parts = ((name, key, _texts(wanted)) for name, block in condition.items() for key, wanted in block.items())
    return first(lambda part: _mismatch(*part, context), parts)


def _mismatch(operator_name: str, key: str, wanted: Sequence[str], context: RequestContext) -> str | None:
    set_operator, _, plain = operator_name.rpartition(":")
    base = plain.removesuffix("IfExists")
    shown = f"{operator_name} {key} {' or '.join(wanted)}"
    if operator_name != "Null" and (base not in _OPERATORS or set_operator not in _SET_OPERATORS):
        raise NotEvaluatedError(f"{operator_name} was not evaluated: the operator is not known here")
    values = values_of(key, context)
    if values is None and operator_name != "Null":
        raise NotEvaluatedError(f"{shown} was not evaluated: the key has no value here")
    try:
        if operator_name == "Null":
            holds = _is_absent(key, values) in {_truth(item) for item in wanted}
        elif values:
            holds = _holds(base, set_operator, wanted, values, context)
        else:
            holds = _holds_if_absent(base, set_operator, if_exists=plain != base)
    except (ValueError, OverflowError) as error:
        raise NotEvaluatedError(f"{shown} was not evaluated: {error}") from error
    if holds:
        return None
    if values is None:
        return f"its condition wants {shown}, but AWS always supplies it"
    return (
        f"its condition wants {shown}, but {'it is ' + ' and '.join(values) if values else f'the request has no {key}'}"
    )


def _is_absent(key: str, values: Sequence[str] | None) -> bool:
    if values is None and key.lower() not in ALWAYS_SUPPLIED:
        raise ValueError("whether AWS supplies the key is not known here")
    return values is not None and not values


def _holds(base: str, set_operator: str, wanted: Sequence[str], values: Sequence[str], context: RequestContext) -> bool:
    matcher, is_negated = _OPERATORS[base]

    def holds_for(value: str) -> bool:
        matched = first(lambda item: matcher(item, value, context), wanted)
        return bool(matched) != is_negated

    if set_operator == "ForAnyValue":
        return bool(first(holds_for, values))
    if set_operator == "ForAllValues":
        return not first(lambda value: not holds_for(value), values)
    if len(values) > 1:
        raise ValueError("the key has several values, which needs ForAllValues or ForAnyValue")
    return holds_for(values[0])


def _holds_if_absent(base: str, set_operator: str, *, if_exists: bool) -> bool:
    if set_operator == "ForAnyValue":
        if if_exists:
            raise ValueError("what ForAnyValue with IfExists means for an absent key is not documented")
        return False
    _, is_negated = _OPERATORS[base]
    return if_exists or is_negated or set_operator == "ForAllValues"


def _texts(value: Any) -> Sequence[str]:
    items = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]


def _equals(wanted: str, value: str, context: RequestContext) -> bool:
    return matches(wanted, value, context, wildcards=False)


def _equals_ignoring_case(wanted: str, value: str, context: RequestContext) -> bool:
    return matches(wanted, value, context, wildcards=False, ignore_case=True)


def _is_like_arn(wanted: str, value: str, context: RequestContext) -> bool:
    matched = matches_arn(wanted, value, context)
    if matched and wanted != "*" and wanted.count(":") < 5:
        raise ValueError(f"{wanted} is not a complete ARN")
    return matched


def _bool(wanted: str, value: str, _context: RequestContext) -> bool:
    return _truth(wanted) == _truth(value)


def _in_network(wanted: str, value: str, _context: RequestContext) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


def _numeric(compare: Callable[[Any, Any], bool]) -> _Matcher:
    return lambda wanted, value, _context: compare(_number(value), _number(wanted))


def _date(compare: Callable[[Any, Any], bool]) -> _Matcher:
    return lambda wanted, value, _context: compare(_instant(value), _instant(wanted))


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text} is neither true nor false")
    return text.lower() == "true"


def _number(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text} is not a number")
    return Decimal(text)


def _instant(text: str) -> datetime:
    if _EPOCH_SECONDS.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    if text[4:5] != "-":
        raise ValueError(f"{text} is neither a date nor seconds since 1970")
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
    "ArnEquals": (_is_like_arn, False),
    "ArnLike": (_is_like_arn, False),
    "ArnNotEquals": (_is_like_arn, True),
    "ArnNotLike": (_is_like_arn, True),
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
