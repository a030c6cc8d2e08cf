"""Rules whose function a deployment replaces: the ARN that an administrator has typed then names nothing (L7, F13)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workmail_flow.arns import is_known_arn
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.template import DeclaredRules


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChange:
    """A rule whose function has another ARN after a deployment.

    Args:
        rule: The rule as it was typed.
        function: The function that it runs, in words, if they are known.
        after: The ARN to type after the deployment, or words that say where to find it; None if no Run Lambda rule of
            this name is declared any more, and no rule runs the function.
    """

    rule: FlowRule
    function: str | None
    after: str | None

    @property
    def typed(self) -> str:
        """The ARN that the rule has now, in words if it is not known."""
        return arn_in_words(self.rule.function)

    @property
    def to_do(self) -> str:
        """What an administrator does in the console."""
        if self.after is None:
            return "before the deployment, delete the rule or give it another action"
        return f"right after the deployment, type {arn_in_words(self.after)}"

    @property
    def until_then(self) -> str:
        """What mail of the rule gets while the rule names a function that is gone (T2, T4)."""
        if not self.rule.synchronous:
            return "no function runs on its mail, which is delivered"
        minutes = self.rule.rule_timeout_minutes
        waited = f", {minutes} minutes after it came" if minutes else ""
        return f"its mail gets the fallback action {self.rule.fallback}{waited}"

    @property
    def way_out(self) -> str:
        """How to keep the ARN."""
        was = f" ({self.function})" if self.function else ""
        return (
            f"keep the id and the path of the function's construct{was}, or give its CfnFunction the former logical id "
            "with override_logical_id; to be free to move a function, give it a function_name before its ARN is typed"
        )

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.rule.direction.lower()} rule {self.rule.name!r} names a function that the deployment replaces",
                f"  typed now: {self.typed}",
                f"  to do: {self.to_do}",
                f"  until then: {self.until_then}",
                f"  to keep the ARN: {self.way_out}",
            ]
        )


def function_changes(before: DeclaredRules, after: DeclaredRules) -> tuple[FunctionChange, ...]:
    """Return the Run Lambda rules of one organization whose ARN an administrator has to type anew, by their names.

    Functions are compared by their ARNs, or else by what both templates say of them. Where one side is a rule file and
    the other knows no ARN, nobody can say whether it changes, and the rule is left out.
    """
    return tuple(_changes(before, after))


def with_functions_of(before: DeclaredRules, after: DeclaredRules) -> RuleSet:
    """Return the rules of `after` with the ARNs that `before` knows: a synthesized app does not know them."""
    known = {function: arn for arn, function in before.functions.items()}
    return RuleSet(
        replace(rule, function=known.get(after.functions.get(rule.function or "", ""), rule.function))
        for rule in after.rules
    )


def arn_in_words(function: str | None) -> str:
    """Return an ARN as it is, and what is none as words."""
    if function is None:
        return "the ARN of its function"
    return function if is_known_arn(function) else f"the ARN found in {function}"


def _changes(before: DeclaredRules, after: DeclaredRules) -> Iterator[FunctionChange]:
    declared = {rule.name: rule for rule in after.rules}
    still_run = {after.functions.get(rule.function or "") for rule in after.rules}
    for rule in before.rules:
        if rule.action is not RuleAction.RUN_LAMBDA:
            continue
        function = before.functions.get(rule.function or "")
        new = declared.get(rule.name)
        if new is not None and new.action is RuleAction.RUN_LAMBDA:
            if _arn_changes(rule.function or "", function, new.function or "", after.functions.get(new.function or "")):
                yield FunctionChange(rule=rule, function=function, after=new.function)
        elif function is not None and function not in still_run:
            yield FunctionChange(rule=rule, function=function, after=None)


def _arn_changes(old_arn: str, old_function: str | None, new_arn: str, new_function: str | None) -> bool:
    if is_known_arn(old_arn) and is_known_arn(new_arn):
        return old_arn != new_arn
    return old_function is not None and new_function is not None and old_function != new_function
