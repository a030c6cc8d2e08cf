"""What AWS would not accept in a policy statement. It refuses such a policy, so a local run must not act on it."""

from __future__ import annotations

import re
from reprlib import repr as shortened
from typing import Any

_ELEMENTS = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"),
        "Condition",
    }
)
_PRINCIPAL_TYPES = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_ACTION = re.compile(r"\*|(?:\*|[A-Za-z0-9-]+):[A-Za-z0-9*?]+")


def statement_fault(statement: object, *, of_resource: bool) -> str | None:
    """Return the first thing that is wrong with a statement's form, or None.

    Args:
        statement: As it stands in the policy; anything at all.
        of_resource: For the policy of a resource, which must name a principal; the policy of an identity must not.
    """
    if not isinstance(statement, dict):
        return f"it is {shortened(statement)}, not an object"
    unknown = sorted(map(str, statement.keys() - _ELEMENTS))
    if unknown:
        return f"it has an unknown element {shortened(unknown[0])}; allowed are {', '.join(sorted(_ELEMENTS))}"
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        return f"its Effect is {shortened(effect)}, not Allow or Deny"
    return (
        _principal_fault(statement, of_resource=of_resource)
        or _names_fault(statement, "Action")
        or _names_fault(statement, "Resource")
        or _condition_fault(statement.get("Condition", {}))
    )


def _principal_fault(statement: dict[str, Any], *, of_resource: bool) -> str | None:
    named = [name for name in ("Principal", "NotPrincipal") if name in statement]
    if not of_resource:
        return f"it has a {named[0]}, which the policy of an identity must not have" if named else None
    if len(named) != 1:
        return "it has both Principal and NotPrincipal" if named else "it names no Principal"
    if named == ["NotPrincipal"] and statement["Effect"] == "Allow":
        return "it has a NotPrincipal, which only a Deny may have"
    element = statement[named[0]]
    if element == "*":
        return None
    if not isinstance(element, dict) or not element or element.keys() - _PRINCIPAL_TYPES:
        return f"its {named[0]} is {shortened(element)}, neither * nor one of {', '.join(sorted(_PRINCIPAL_TYPES))}"
    for kind, items in element.items():
        for item in items if isinstance(items, list) and items else [items]:
            if not isinstance(item, str) or ("*" in item and (kind, item) != ("AWS", "*")):
                return f"its {named[0]} has {shortened(item)} for {kind}; allowed are whole names and * for AWS"
    return None


def _names_fault(statement: dict[str, Any], element: str) -> str | None:
    named = [name for name in (element, f"Not{element}") if name in statement]
    if len(named) != 1:
        return f"it has both {element} and Not{element}" if named else f"it has no {element}"
    value = statement[named[0]]
    for item in value if isinstance(value, list) and value else [value]:
        if not isinstance(item, str) or not item:
            return f"its {named[0]} has {shortened(item)}; allowed are one text or a list with at least one text"
        if element == "Action" and _ACTION.fullmatch(item) is None:
            return f"its {named[0]} is {shortened(item)}, neither * nor service:action"
    return None


def _condition_fault(condition: object) -> str | None:
    if not isinstance(condition, dict):
        return f"its Condition is {shortened(condition)}, not an object of operators"
    for name, block in condition.items():
        if not isinstance(block, dict) or not block:
            return f"its {shortened(name)} is {shortened(block)}, not an object of condition keys"
        for key, value in block.items():
            for item in value if isinstance(value, list) and value else [value]:
                if not isinstance(item, str | int | float):
                    return (
                        f"its {shortened(name)} wants {shortened(item)} of {shortened(key)}; allowed are one text, "
                        f"number or boolean, or a list with at least one of them"
                    )
    return None
