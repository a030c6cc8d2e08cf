"""Decides a request against policy statements as IAM does: explicit deny, then allow, else denied.

Small and exact: what it does not know (an operator, the value of a key) or what AWS would not accept (a malformed
statement) never counts as allowed, and denies where it stands in a Deny.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workmail_local.iam.condition import condition_mismatch
from workmail_local.iam.not_evaluated import NotEvaluatedError, first
from workmail_local.iam.pattern import arn_parts, matches, matches_arn
from workmail_local.iam.statement_fault import statement_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workmail_local.deployment import Statement
    from workmail_local.iam.request_context import RequestContext


@dataclass(frozen=True, slots=True)
class Access:
    """The decision on one request.

    Attributes:
        denied: A statement denies; no other policy can allow the request then.
        reason: What decided, for a person: the statement that allows or denies, or why each Allow does not apply.
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
    context: RequestContext | None = None,
) -> Access:
    """Decide whether the statements allow an action on a resource. Never raises, whatever the statements hold.

    Args:
        statements: Of one or more policies that decide together.
        action: Such as `lambda:InvokeFunction`.
        resource: An ARN.
        principal: A service (`workmail.us-east-1.amazonaws.com`) or an ARN, for the policy of a resource; None for the
            policies of an identity, whose statements name no principal.
        context: Condition keys such as `aws:SourceArn`, in any case, with their values.
    """
    if not isinstance(statements, list | tuple):
        return Access(False, "denied to be safe: the policy is malformed: its statements are not a list", denied=True)
    keys = {key.lower(): value for key, value in (context or {}).items()}
    allowed_by: str | None = None
    near: list[str] = []
    for number, statement in enumerate(statements, start=1):
        elements = statement if isinstance(statement, dict) else {}
        name, effect = elements.get("Sid") or f"statement {number}", elements.get("Effect")
        fault = statement_fault(statement, of_resource=principal is not None)
        if fault is not None:
            if effect != "Allow":
                return Access(False, f"denied to be safe: {name} is malformed: {fault}", denied=True)
            near.append(f"{name} is malformed: {fault}")
            continue
        try:
            mismatch = _mismatch(statement, action=action, resource=resource, principal=principal, context=keys)
        except NotEvaluatedError as error:
            if effect == "Deny":
                return Access(False, f"denied to be safe: {name} denies and {error}", denied=True)
            mismatch = str(error)
        if effect == "Deny":
            if mismatch is None:
                return Access(False, f"explicitly denied by {name}", denied=True)
        elif mismatch is None:
            allowed_by = allowed_by or name
        else:
            near.append(f"{name}: {mismatch}")
    if allowed_by is not None:
        return Access(True, f"allowed by {allowed_by}")
    if not statements:
        return Access(False, f"no policy allows {action} on {resource}: there are no statements")
    return Access(False, f"no statement allows {action} on {resource} ({'; '.join(near) or 'none is an Allow'})")


def _mismatch(
    statement: Statement, *, action: str, resource: str, principal: str | None, context: RequestContext
) -> str | None:
    """Return why the statement does not apply to this request, or None if it does."""
    checks: tuple[Callable[[], str | None], ...] = (
        lambda: None if principal is None else _principal_mismatch(statement, principal),
        lambda: _action_mismatch(statement, action),
        lambda: _resource_mismatch(statement, resource, context),
        lambda: condition_mismatch(statement.get("Condition", {}), context),
    )
    return first(lambda check: check(), checks)


def _principal_mismatch(statement: Statement, principal: str) -> str | None:
    if "NotPrincipal" in statement:
        if not _names_principal(statement["NotPrincipal"], principal):
            return None
        if principal.startswith("arn:"):
            raise NotEvaluatedError("its NotPrincipal was not evaluated: AWS also compares the account and the session")
        return f"its NotPrincipal is {_shown(statement['NotPrincipal'])}"
    element = statement["Principal"]
    if not _names_principal(element, principal):
        return f"its Principal is {_shown(element)}, not {principal}"
    if statement["Effect"] == "Allow" and not _names_principal(element, principal, by_account=False):
        return f"its Principal is {_shown(element)}, which leaves the decision to the account's own policies"
    return None


def _names_principal(element: Any, principal: str, *, by_account: bool = True) -> bool:
    if element == "*" or "*" in _items(element.get("AWS", ())):
        # `{"AWS": "*"}` is everyone, services included.
        return True
    if not principal.startswith("arn:"):
        return principal in _items(element.get("Service", ()))
    _, partition, _, _, account, role = arn_parts(principal)
    items = set(_items(element.get("AWS", ())))
    if principal in items or (by_account and not items.isdisjoint({account, f"arn:{partition}:iam::{account}:root"})):
        return True
    session = f"arn:{partition}:sts::{account}:assumed-role/{role.rpartition('/')[2]}/"
    if "CanonicalUser" in element or any(item.startswith(session) for item in items):
        raise NotEvaluatedError(f"its principal {_shown(element)} was not evaluated: it may be {principal}")
    return False


def _action_mismatch(statement: Statement, action: str) -> str | None:
    def names(element: Any) -> bool:
        return any(matches(item, action, {}, ignore_case=True) for item in _items(element))

    if "NotAction" in statement:
        return f"its NotAction is {_shown(statement['NotAction'])}" if names(statement["NotAction"]) else None
    return None if names(statement["Action"]) else f"its Action is {_shown(statement['Action'])}"


def _resource_mismatch(statement: Statement, resource: str, context: RequestContext) -> str | None:
    def names(element: Any) -> bool:
        return bool(first(lambda item: _covers(item, resource, context), _items(element)))

    if "NotResource" in statement:
        return f"its NotResource is {_shown(statement['NotResource'])}" if names(statement["NotResource"]) else None
    element = statement["Resource"]
    return None if names(element) else f"its Resource is {_shown(element)}, not {resource}"


def _covers(pattern: str, resource: str, context: RequestContext) -> bool:
    if matches_arn(pattern, resource, context):
        return True
    if matches(pattern, resource, context):
        # The documentation says that a wildcard at the end of a part "can" do so.
        raise NotEvaluatedError(f"{pattern} was not evaluated: its wildcard would have to reach over a colon")
    return False


def _items(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else value


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{kind} {_shown(items)}" for kind, items in value.items())
    return " or ".join(_items(value))
