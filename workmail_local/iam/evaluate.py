"""Decides a request against policy statements as IAM does: explicit deny, then allow, else denied.

Small and exact: what it does not know (an operator, a key it was given no value for) never counts as allowed.
Principal and action names compare as IAM compares them; ARNs by their six parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workmail_local.iam.condition import evaluate_condition
from workmail_local.iam.pattern import matches, matches_arn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Statement = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """The decision on one request.

    Attributes:
        denied: A statement denies; no other policy can allow it then.
        reason: What decided, for a person: the statement that allows or denies, or what each one that came near lacks.
    """

    allowed: bool
    reason: str
    denied: bool = False


def evaluate(
    statements: Sequence[Statement],
    *,
    action: str,
    resource: str,
    principal: str | None = None,
    context: Mapping[str, str] | None = None,
) -> Access:
    """Decide whether the statements allow an action on a resource.

    Args:
        statements: Of one or more policies that decide together.
        action: Such as `lambda:InvokeFunction`.
        resource: An ARN.
        principal: A service (`workmail.us-east-1.amazonaws.com`) or an ARN, for the policy of a resource; None for the
            policies of an identity, whose statements name no principal.
        context: Condition keys such as `aws:SourceArn`, in any case, with their values.
    """
    keys = {key.lower(): value for key, value in (context or {}).items()}
    allowed_by: str | None = None
    near: list[str] = []
    for number, statement in enumerate(statements, start=1):
        name = statement.get("Sid") or f"statement {number}"
        mismatch = _mismatch(statement, action=action, resource=resource, principal=principal, keys=keys)
        is_deny = statement.get("Effect") == "Deny"
        if mismatch is not None:
            if not is_deny:
                near.append(f"{name}: {mismatch}")
            continue
        condition = evaluate_condition(statement.get("Condition", {}), keys)
        if not condition.holds:
            if is_deny and not condition.evaluated:
                return Access(False, f"denied to be safe: {name} denies and {condition.reason}", denied=True)
            if not is_deny:
                near.append(f"{name}: {condition.reason}")
        elif is_deny:
            return Access(False, f"explicitly denied by {name}", denied=True)
        elif statement.get("Effect") == "Allow":
            allowed_by = allowed_by or name
    if allowed_by is not None:
        return Access(True, f"allowed by {allowed_by}")
    if not statements:
        return Access(False, f"no policy allows {action} on {resource}: there are no statements")
    return Access(False, f"no statement allows {action} on {resource} ({'; '.join(near) or 'none is an Allow'})")


def _mismatch(
    statement: Statement, *, action: str, resource: str, principal: str | None, keys: Mapping[str, str]
) -> str | None:
    """Why the statement does not speak of this request, or None if it does, its condition aside."""
    if principal is not None:
        wrong_principal = _principal_mismatch(statement, principal)
        if wrong_principal is not None:
            return wrong_principal
    if "Action" in statement:
        if not _names_action(statement["Action"], action):
            return f"its Action is {_shown(statement['Action'])}"
    elif "NotAction" not in statement:
        return "it has no Action"
    elif _names_action(statement["NotAction"], action):
        return f"its NotAction is {_shown(statement['NotAction'])}"
    if "Resource" in statement:
        if not any(matches_arn(item, resource, keys) for item in _items(statement["Resource"])):
            return f"its Resource is {_shown(statement['Resource'])}, not {resource}"
    elif "NotResource" not in statement:
        return "it has no Resource"
    elif any(matches_arn(item, resource, keys) for item in _items(statement["NotResource"])):
        return f"its NotResource is {_shown(statement['NotResource'])}"
    return None


def _principal_mismatch(statement: Statement, principal: str) -> str | None:
    if "Principal" in statement:
        if _names_principal(statement["Principal"], principal):
            return None
        return f"its Principal is {_shown(statement['Principal'])}, not {principal}"
    if "NotPrincipal" in statement:
        if _names_principal(statement["NotPrincipal"], principal):
            return f"its NotPrincipal is {_shown(statement['NotPrincipal'])}"
        return None
    return "it names no Principal"


def _names_principal(element: Any, principal: str) -> bool:
    if element == "*":
        return True
    if not isinstance(element, dict):
        return False
    if not principal.startswith("arn:"):
        # `{"AWS": "*"}` is everyone, services included; other wildcards mean nothing in a service's name.
        return principal in _items(element.get("Service", ())) or "*" in _items(element.get("AWS", ()))
    account = principal.split(":")[4]
    everyone_in_it = {account, f"arn:aws:iam::{account}:root", "*"}
    return any(item == principal or item in everyone_in_it for item in _items(element.get("AWS", ())))


def _names_action(element: Any, action: str) -> bool:
    return any(matches(item.lower(), action.lower(), {}) for item in _items(element))


def _items(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{kind} {_shown(items)}" for kind, items in value.items())
    return " or ".join(_items(value))
