"""Stacks for tests to put rules in, and what their templates and annotations have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.aws_lambda import Code, Function, Runtime

from workmail_constructs import FallbackAction, FlowDirection, RuleCode, Run, RunLambdaRule, WorkMailOrganization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
ACCOUNT = "111122223333"
REGION = "eu-west-1"
HERE = Environment(region=REGION, account=ACCOUNT)
ORGANIZATION_ARN = f"arn:aws:workmail:{REGION}:{ACCOUNT}:organization/{ORGANIZATION_ID}"
MESSAGES_ARN = f"arn:aws:workmailmessageflow:{REGION}:{ACCOUNT}:message/{ORGANIZATION_ID}"
HANDLER = Path(__file__).resolve().parents[2] / "examples" / "hello_world" / "handler"
SYNCHRONOUS = Run.synchronous(fallback=FallbackAction.DEFAULT)


def new_stack(env: Environment | None = HERE) -> Stack:
    """Return the stack of a new app, in eu-west-1; None leaves Region and account to the deployment."""
    return Stack(App(), "Mail", env=env)


def new_rule(scope: Construct, name: str = "Rule", /, **arguments: Any) -> RunLambdaRule:
    """Declare the shortest useful rule, changed by `arguments`."""
    if "organization" not in arguments:
        arguments["organization"] = WorkMailOrganization.from_organization_id(scope, f"{name}Org", ORGANIZATION_ID)
    if not arguments.keys() & {"function", "steps"}:
        arguments.setdefault("code", RuleCode.from_folder(HANDLER))
    return RunLambdaRule(scope, name, **{"direction": FlowDirection.INBOUND, "run": SYNCHRONOUS, **arguments})


def new_function(scope: Construct, name: str = "Existing", **arguments: Any) -> Function:
    """Make a function as a user may have one."""
    return Function(
        scope, name, runtime=Runtime.NODEJS_22_X, handler="index.handler", code=Code.from_inline("x"), **arguments
    )


def properties_of(stack: Stack, resource_type: str) -> list[dict[str, Any]]:
    """Return the properties of every resource of a type."""
    return [found.get("Properties", {}) for found in Template.from_stack(stack).find_resources(resource_type).values()]


def only(stack: Stack, resource_type: str) -> dict[str, Any]:
    """Return the properties of the one resource of a type."""
    (properties,) = properties_of(stack, resource_type)
    return properties


def statements_of(stack: Stack, resource_type: str = "AWS::IAM::Policy") -> list[dict[str, Any]]:
    """Return all statements of all policies of a type."""
    policies = properties_of(stack, resource_type)
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def rights_of(stack: Stack) -> list[dict[str, Any]]:
    """Return the statements of IAM policies, without those for writing to a log group."""
    return [statement for statement in statements_of(stack) if "logs:PutLogEvents" not in statement["Action"]]


def errors_of(stack: Stack) -> list[tuple[str, str]]:
    """Return path and text of each error reported at synth."""
    return [
        (each.id, str(each.entry.data)) for each in Annotations.from_stack(stack).find_error("*", Match.any_value())
    ]


def warnings_of(stack: Stack) -> list[tuple[str, str]]:
    """Return path and text of each warning reported at synth."""
    found = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [(each.id, str(each.entry.data)) for each in found]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return what a deployment makes (+), removes (-) and replaces (~), each by its readable logical id."""
    return (
        {f"+{readable(name)}" for name in after.keys() - before.keys()}
        | {f"-{readable(name)}" for name in before.keys() - after.keys()}
        | {f"~{readable(name)}" for name in before.keys() & after.keys() if before[name] != after[name]}
    )


def readable(logical_id: str) -> str:
    """Return a logical id without the hash of its path, and a version's without that of its content."""
    return re.sub(r"[0-9A-F]{8}([0-9a-f]{32})?$", "", logical_id)
