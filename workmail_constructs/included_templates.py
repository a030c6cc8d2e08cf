"""Finds email flow rules in templates that `CfnInclude` brings into an app; only their text declares them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Stack

from workmail_constructs.app_synthesis import AppSynthesis
from workmail_constructs.problems import add_warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import IConstruct

    from workmail_flow.flow_rule import FlowRule

_DESCRIPTION: Final = re.compile(r"For the (?:inbound|outbound) email flow rule (.+) in the WorkMail console")


def describe_output(rule: FlowRule) -> str:
    """Return the description of the output that shows the ARN of a rule's function."""
    return f"For the {rule.direction.lower()} email flow rule {rule.name} in the WorkMail console"


def clashes(stack: Stack) -> list[str]:
    """Return a message for each included template that declares rules in a stack which declares rules itself.

    A template has one place for them, so CDK could not write this one.
    """
    return [
        f"{include.node.path}: found an included template with {_listed(names)} in a stack that declares email flow "
        "rules; allowed: a stack that declares rules or one that includes them, not both; include the template in a "
        "stack of its own, or declare its rules with RunLambdaRule and take them from the template"
        for include, names in _includes(stack)
        if Stack.of(include) is stack
    ]


def warn_of_included_rules(root: IConstruct) -> None:
    """Report the included templates in an app whose rules are neither linted at synth nor in its runbooks."""
    for include, names in _includes(root):
        add_warning(
            include,
            "WorkMailIncludedRules",
            found=f"an included template with {_listed(names)}",
            allowed="rules that the app declares: lint at synth and runbooks see no others",
            remedy="declare them with RunLambdaRule, or use `workmail-flow rules lint` and `rules runbook` on cdk.out, "
            "which read every template",
        )
        AppSynthesis.of(root).write_again(include)


def _includes(scope: IConstruct) -> Iterator[tuple[IConstruct, list[str]]]:
    # Whoever includes a template has loaded this module; nobody else pays for the search.
    module: Any = sys.modules.get("aws_cdk.cloudformation_include")
    if module is None:
        return
    for include in scope.node.find_all():
        if isinstance(include, module.CfnInclude):
            outputs = [each for each in include.node.find_all() if isinstance(each, CfnOutput)]
            names = [found[1] for each in outputs if (found := _DESCRIPTION.fullmatch(each.description or ""))]
            if names:
                yield include, names


def _listed(names: list[str]) -> str:
    return f"the email flow rules {', '.join(map(repr, names))}"
