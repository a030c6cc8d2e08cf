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
    """A rule that was typed, and whose function has another ARN after a deployment.

    Args:
        before: The rule as it was typed.
        after: The rule as it is to be typed after the deployment; None if it is not declared any more.
        function: The function that it runs before the deployment, in words; None if no template says it.
    """

    before: FlowRule
    after: FlowRule | None
    function: str | None

    @property
    def typed(self) -> str:
        """The ARN that the rule has now, or words that say where to find it."""
        return arn_in_words(self.before.function)

    @property
    def to_do(self) -> str:
        """What an administrator does in the console, and when."""
        if self.after is None:
            return "before the deployment, delete the rule or give it another action"
        name = "" if self.after.name == self.before.name else f", and the name {self.after.name!r}"
        return f"right after the deployment, type {arn_in_words(self.after.function)}{name}"

    @property
    def until_then(self) -> str:
        """What happens to mail of the rule while the rule names a function that is gone (T2, T4)."""
        if not self.before.synchronous:
            return "no function runs for its mail"
        minutes = self.before.rule_timeout_minutes
        after = f" after {minutes} minutes" if minutes else ""
        return f"its mail gets the fallback action {self.before.fallback}{after}"

    @property
    def way_out(self) -> str | None:
        """How the app keeps the ARN; None if no template says which function it is."""
        return self.function and (
            f"keep the construct path of {self.function}, or set that logical id with override_logical_id; "
            "a function_name, set before the ARN is typed, leaves you free to move the function"
        )

    def __str__(self) -> str:
        lines = [
            f"{self.before.direction.lower()} rule {self.before.name!r} needs another function ARN",
            f"typed now: {self.typed}",
            f"to do: {self.to_do}",
            f"until then: {self.until_then}",
            *([f"to keep the ARN: {self.way_out}"] if self.way_out else []),
        ]
        return "\n  ".join(lines)


def function_changes(before: DeclaredRules, after: DeclaredRules) -> tuple[FunctionChange, ...]:
    """Return the Run Lambda rules of one organization whose ARN an administrator has to type anew.

    A rule is known by its name, or else by its direction and patterns. Functions are compared by their ARNs, or else by
    what both templates say of them. Where one side is a rule file and the other knows no ARN, nobody can say whether it
    changes, and the rule is left out.
    """
    return tuple(_changes(before, after))


def with_functions_of(before: DeclaredRules, after: DeclaredRules) -> RuleSet:
    """Return the rules of `after` with the ARNs that `before` knows: a synthesized app does not know them."""
    known = {function: arn for arn, function in before.functions.items()}
    return RuleSet(
        replace(rule, function=known.get(after.functions.get(rule.function or "", ""), rule.function))
        for rule in after.rules
    )


def aligned(before: DeclaredRules, after: DeclaredRules) -> tuple[RuleSet, tuple[FlowRule, ...]]:
    """Return the rules of `after` for a comparison with `before`, and those whose functions nobody can compare.

    A function whose ARN stays is named as `before` names it. So is one that cannot be compared: of a rule file that
    knows an ARN and an app that does not.
    """
    old = {(rule.name, rule.direction): rule for rule in before.rules}
    rules, unknown = [], []
    for rule, alike in zip(after.rules, with_functions_of(before, after), strict=True):
        was = old.get((rule.name, rule.direction))
        if was is None or was.function == alike.function or was.action is not rule.action or not rule.function:
            rules.append(alike)
            continue
        functions = before.functions.get(was.function or ""), after.functions.get(rule.function)
        if _arn_changes(was.function or "", functions[0], rule.function, functions[1]):
            rules.append(alike)
        else:
            rules.append(replace(alike, function=was.function))
            if None in functions or functions[0] != functions[1]:
                unknown.append(rule)
    return RuleSet(rules), tuple(unknown)


def arn_in_words(function: str | None) -> str:
    """Return an ARN as it is; say of anything else that the ARN is found there."""
    if function is None:
        return "the ARN of its function"
    return function if is_known_arn(function) else f"the ARN found in {function}"


def _changes(before: DeclaredRules, after: DeclaredRules) -> Iterator[FunctionChange]:
    old_names = {rule.name for rule in before.rules}
    by_name = {rule.name: rule for rule in after.rules}
    by_mail = {_mail(rule): rule for rule in after.rules if rule.name not in old_names}
    still_run = {after.functions.get(rule.function or "") for rule in after.rules}
    for old in before.rules:
        if old.action is not RuleAction.RUN_LAMBDA:
            continue
        function = before.functions.get(old.function or "")
        new = by_name.get(old.name) or by_mail.get(_mail(old))
        if new is None or new.action is not RuleAction.RUN_LAMBDA:
            if function is not None and function not in still_run:
                yield FunctionChange(before=old, after=None, function=function)
        elif _arn_changes(old.function or "", function, new.function or "", after.functions.get(new.function or "")):
            yield FunctionChange(before=old, after=new, function=function)


def _mail(rule: FlowRule) -> tuple[object, ...]:
    return rule.direction, frozenset(rule.senders), frozenset(rule.destinations)


def _arn_changes(old_arn: str, old_function: str | None, new_arn: str, new_function: str | None) -> bool:
    if is_known_arn(old_arn) and is_known_arn(new_arn):
        return old_arn != new_arn
    return old_function is not None and new_function is not None and old_function != new_function
