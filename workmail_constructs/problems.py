"""Reports problems at synth, all of them together, each at the path of its construct."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aws_cdk import Annotations, Stack

from workmail_constructs.app_synthesis import AppSynthesis
from workmail_flow.template import spell_intrinsic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk.aws_iam import PolicyStatement
    from constructs import IConstruct

    from workmail_constructs.interfaces import AnyBucket, AnyKey

ACKNOWLEDGE_PREFIX: Final = "workmail-constructs:"
"""With a warning's id after it, the name that `Annotations.of(scope).acknowledge_warning(…)` takes."""


def add_problem(scope: IConstruct, id: str, *, found: str, allowed: str, remedy: str) -> None:  # noqa: A002 - CDK's word
    """Report an error. Synth goes on to its end, so that every problem is reported; the CDK CLI then fails.

    Args:
        scope: The construct with the problem; CDK shows its path.
        id: What kind of problem it is, in PascalCase.
        found: What was found.
        allowed: What is allowed, with the fact that says so.
        remedy: What to do.
    """
    Annotations.of(scope).add_error(f"{_text(found, allowed, remedy)} [{id}]")
    AppSynthesis.of(scope.node.root).write_again(scope)


def add_warning(scope: IConstruct, id: str, *, found: str, allowed: str, remedy: str) -> None:  # noqa: A002 - CDK's word
    """Report what only the deployment can settle; the arguments are those of `add_problem`."""
    Annotations.of(scope).add_warning_v2(ACKNOWLEDGE_PREFIX + id, _text(found, allowed, remedy))


def require_statement(
    resource: AnyBucket | AnyKey,
    statement: PolicyStatement,
    *,
    scope: IConstruct,
    id: str,  # noqa: A002 - CDK's word
    found: str,
    allowed: str,
    remedy: str,
) -> None:
    """Add a statement to a resource's policy; where CDK cannot change the policy, a warning has the statement to add.

    The other arguments are those of `add_problem`; the statement stands behind the remedy.
    """
    if not resource.add_to_resource_policy(statement).statement_added:
        shown = shown_statements(Stack.of(scope), [statement])
        add_warning(scope, id, found=found, allowed=allowed, remedy=f"{remedy}: {shown}")


def shown_statements(stack: Stack, statements: Iterable[PolicyStatement]) -> str:
    """Return the statements as JSON for a policy, with `${…}` for what only the deployment knows."""
    resolved = (stack.resolve(each.to_statement_json()) for each in statements)
    return ", ".join(json.dumps(_spelled(each), separators=(",", ":")) for each in resolved)


def _spelled(value: object) -> object:
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Join": _} | {"Fn::ImportValue": _} | {"Fn::Select": _}:
            return spell_intrinsic(value)
        case dict():
            return {key: _spelled(each) for key, each in value.items()}
        case list():
            return [_spelled(each) for each in value]
        case _:
            return value


def _text(found: str, allowed: str, remedy: str) -> str:
    return f"found {found}; allowed: {allowed}; {remedy}"
