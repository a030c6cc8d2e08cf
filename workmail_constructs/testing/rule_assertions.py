"""An assertion on the email flow rules that a template declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from workmail_constructs.testing.template_json import template_json
from workmail_flow.template import declared_rule_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_constructs.run import FallbackAction
    from workmail_constructs.testing.template_json import AnyTemplate
    from workmail_flow.vocabulary import FlowDirection, RuleAction


class DeclaredFields(TypedDict, total=False):
    """What a test may expect of a declared rule; what is left out may be anything."""

    direction: FlowDirection
    action: RuleAction
    senders: Sequence[str]
    destinations: Sequence[str]
    synchronous: bool
    fallback: FallbackAction
    rule_timeout_minutes: int


def assert_rule_declared(template: AnyTemplate, name: str, **expected: Unpack[DeclaredFields]) -> None:
    """Assert that a template declares an email flow rule, for an administrator to create (L7).

    Args:
        template: A stack, its `aws_cdk.assertions.Template`, or a template's dict.
        name: The rule's name, which is the construct's id unless it was given another one.
        **expected: Fields of the rule; see `DeclaredFields`.

    Raises:
        AssertionError: There is no such rule, or a field differs; all that differ are named.
        TypeError: An unknown field.
    """
    unknown = sorted(expected.keys() - DeclaredFields.__annotations__.keys())
    if unknown:
        raise TypeError(
            f"{', '.join(unknown)}: unknown field of a rule; allowed are {', '.join(DeclaredFields.__annotations__)}"
        )
    rules = {rule.name: rule for declared in declared_rule_sets(template_json(template)) for rule in declared.rules}
    if name not in rules:
        raise AssertionError(
            f"the template does not declare the email flow rule {name!r}\n"
            f"  found: {', '.join(map(repr, rules)) or 'no rule'}\n"
            "  what to do: declare it with RunLambdaRule or EmailFlowRules in this stack, or correct the name"
        )
    differing = [
        f"  {field}: found {found}, needed {needed}"
        for field, needed in ((field, _plain(value)) for field, value in expected.items())
        if (found := _plain(getattr(rules[name], field))) != needed
    ]
    if differing:
        raise AssertionError(
            "\n".join(
                [
                    f"the email flow rule {name!r} is declared otherwise",
                    *differing,
                    "  what to do: change the rule's arguments or the test",
                ]
            )
        )


def _plain(value: Any) -> Any:
    if isinstance(value, str | int) or value is None:
        return value
    return [str(pattern) for pattern in value]
