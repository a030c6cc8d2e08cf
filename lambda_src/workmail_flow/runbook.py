"""What an administrator types in the console to create the rules: there is no API for it (L7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_flow import console
from workmail_flow.arns import is_known_arn
from workmail_flow.change_plan import creation_key
from workmail_flow.markdown import code, plain
from workmail_flow.organization_place import OrganizationPlace
from workmail_flow.vocabulary import RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.rule_set import RuleSet
    from workmail_flow.template import DeclaredRules


def creation_order(rule_set: RuleSet) -> tuple[FlowRule, ...]:
    """Return the rules in the order of `creation_key`."""
    return tuple(sorted(rule_set, key=creation_key))


def runbook(declared: DeclaredRules) -> str:
    """Return the console steps, as Markdown.

    Args:
        declared: The rules of one organization. A rule's function that is not an ARN is taken as words that say where
            to find it, and so is the organization's id.
    """
    rules = creation_order(declared.rules)
    parts = (
        console.heading(declared, "Email flow rules of organization"),
        _order(rules),
        *(creation(rule, declared, title=f"{number}. {rule.name}") for number, rule in enumerate(rules, 1)),
        console.permission(rules, declared),
        _removal(rules),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def creation(rule: FlowRule, declared: DeclaredRules, *, title: str) -> Iterator[str]:
    """Yield how to create one rule."""
    yield f"## {plain(title)}"
    yield ""
    yield from console.purpose(rule)
    yield ""
    if rule.action is RuleAction.RUN_LAMBDA:
        yield _before_run_lambda(rule)
        yield ""
    yield f"**{console.TABS[rule.direction]}** → **Create**. Enter:"
    yield ""
    yield "| field | value |"
    yield "|---|---|"
    for field, value in console.fields(rule):
        yield f"| {field} | {value} |"
    yield ""
    yield from console.arn_commands([rule], OrganizationPlace.of(declared))
    yield from console.pattern_lists(rule)
    yield f"Choose **Create**. Once all rules are there, {console.test_line(declared.rules, rule, declared.domains)}"
    yield ""


def _order(rules: tuple[FlowRule, ...]) -> Iterator[str]:
    if not rules:
        yield "There are no rules to create."
        return
    yield "A rule takes effect at once. Create the rules **in the order given**: what lets mail pass comes before what"
    yield "drops or bounces it, so that no mail is lost while the set is incomplete."
    yield ""


def _before_run_lambda(rule: FlowRule) -> str:
    if rule.function and is_known_arn(rule.function):
        return "First make sure that the function is deployed, and [check the permission](#to-check-the-permission)."
    return (
        "First deploy the function's stack; only then is the ARN to enter known. Then "
        "[check the permission](#to-check-the-permission)."
    )


def _removal(rules: tuple[FlowRule, ...]) -> Iterator[str]:
    if not rules:
        return
    yield "## To remove the rules"
    yield ""
    yield "Delete them in the reverse order, and a function only after the rule that runs it:"
    yield ""
    for number, rule in enumerate(reversed(rules), 1):
        yield f"{number}. {console.TABS[rule.direction]}: {code(rule.name)}"
