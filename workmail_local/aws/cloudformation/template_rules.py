"""A template's `Rules`: assertions on parameters, checked before any resource is made. moto ignores them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Resolve = Callable[[Any], Any]


def failed_rules(rules: Mapping[str, Any], resolve: Resolve) -> list[str]:
    """What the failed assertions say, each with its rule's name.

    Args:
        rules: The template's `Rules`.
        resolve: Resolves Ref to a parameter or pseudo parameter.

    Raises:
        ValueError: A rule uses a function that CloudFormation does not allow in rules.
    """
    failed = []
    for name, rule in rules.items():
        if "RuleCondition" in rule and not _holds(rule["RuleCondition"], resolve):
            continue
        failed += [
            f"Rule {name} failed: {assertion.get('AssertDescription', 'an assertion does not hold')}"
            for assertion in rule["Assertions"]
            if not _holds(assertion["Assert"], resolve)
        ]
    return failed


def _holds(expression: Any, resolve: Resolve) -> bool:
    if isinstance(expression, bool):
        return expression
    function, operands = next(iter(expression.items()))
    match function:
        case "Fn::And":
            return all(_holds(operand, resolve) for operand in operands)
        case "Fn::Or":
            return any(_holds(operand, resolve) for operand in operands)
        case "Fn::Not":
            return not _holds(operands[0], resolve)
        case "Fn::Equals":
            return bool(resolve(operands[0]) == resolve(operands[1]))
        case "Fn::Contains":
            return resolve(operands[1]) in resolve(operands[0])
        case "Fn::EachMemberEquals":
            return all(member == resolve(operands[1]) for member in resolve(operands[0]))
        case "Fn::EachMemberIn":
            return set(resolve(operands[0])) <= set(resolve(operands[1]))
        case _:
            raise ValueError(f"{function} is not known in a template's Rules")
