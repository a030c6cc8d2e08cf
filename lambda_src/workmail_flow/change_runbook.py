"""What an administrator changes in the console, from the rules that were typed to those that are declared (L7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workmail_flow import console
from workmail_flow.arns import is_known_arn
from workmail_flow.change_plan import When, is_typed_alike, plan_changes
from workmail_flow.diff import effect_in_words
from workmail_flow.function_change import aligned, arn_in_words, function_changes
from workmail_flow.markdown import code, plain
from workmail_flow.organization_place import OrganizationPlace
from workmail_flow.runbook import creation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_flow.change_plan import ChangeStep, Exposure
    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.function_change import FunctionChange
    from workmail_flow.patterns import Pattern
    from workmail_flow.template import DeclaredRules

MAX_NAMED = 5
"""How many patterns a warning names; it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChanges:
    """What changes between the rules of an organization that were typed and those that are declared.

    Args:
        before: The rules as they were typed.
        after: The rules as they are declared.
        steps: What to do in the console, in this order.
        functions: Rules whose function a deployment replaces.
        unknown: Rules whose functions nobody can compare, as they are declared.
    """

    before: DeclaredRules
    after: DeclaredRules
    steps: tuple[ChangeStep, ...]
    functions: tuple[FunctionChange, ...]
    unknown: tuple[FlowRule, ...]


def rule_changes(before: DeclaredRules, after: DeclaredRules) -> RuleChanges:
    """Compare the rules of one organization."""
    functions = function_changes(before, after)
    rules, unknown = aligned(before, after)
    there = {rule.function for rule in before.rules}
    return RuleChanges(
        before=before,
        after=replace(after, rules=rules),
        steps=plan_changes(
            before.rules,
            rules,
            not_yet={each.function for each in rules if each.function and not is_known_arn(each.function)} - there,
            not_any_more={change.before.function or "" for change in functions if change.after is None},
        ),
        functions=functions,
        unknown=unknown,
    )


def change_runbook(changes: RuleChanges) -> str:
    """Return the console steps of a change, as Markdown."""
    parts = (
        console.heading(changes.after, "Changes to the email flow rules of organization"),
        _summary(changes),
        _retyping(changes.functions),
        _steps(changes),
        _to_compare(changes.unknown),
        console.permission([step.after for step in changes.steps if step.after], changes.after),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def changed_fields(before: FlowRule, after: FlowRule) -> tuple[tuple[str, str, str], ...]:
    """Return each field of the console that differs, with the old and the new value, in Markdown; patterns too."""
    old, new = dict(console.fields(before)), dict(console.fields(after))
    found = [
        (name, old.get(name, "(empty)"), new.get(name, "(empty)"))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    for name, was, is_ in (
        ("Sender domains or addresses", before.senders, after.senders),
        ("Destination domains or addresses", before.destinations, after.destinations),
    ):
        if set(was) != set(is_):
            removed, added = _listed(set(was) - set(is_), was), _listed(set(is_) - set(was), is_)
            found.append((name, f"remove {removed or 'none'}", f"add {added or 'none'}"))
    return tuple(found)


def exposure_in_words(exposure: Exposure) -> str:
    """Say which mail is treated in a third way, and how long."""
    senders, destinations = (_shortened(patterns) for patterns in (exposure.senders, exposure.destinations))
    return (
        f"{exposure.direction.lower()} mail from {senders} to {destinations} gets {effect_in_words(exposure.rule)} "
        f"until step {exposure.until}"
    )


def _summary(changes: RuleChanges) -> Iterator[str]:
    if not changes.steps:
        yield "Nothing to change: the rules are typed as they are declared."
        yield ""
        return
    others = [stack for stack in changes.after.stacks if stack not in changes.before.stacks]
    if changes.before.stacks and others:
        names = [", ".join(map(code, stacks)) for stacks in (changes.before.stacks, others)]
        yield f"The old rules are those of {names[0]}. So the rules of {names[1]} are taken as new: if they are typed"
        yield "already, compare with a `cdk.out` of the last deployment, which has the rules of all stacks."
        yield ""
    yield "A rule takes effect at once. Do the steps **in the order given**: after each one, every message is treated"
    yield "as by the old rules or as by the new ones. Where no order can do that, the step has a warning: it says"
    yield "what happens to which mail, and until which step. Begin when you have the time for all of them."
    yield ""
    for number, step in enumerate(changes.steps, 1):
        warned = ", **see its warning**" if step.exposures else ""
        yield f"{number}. {_title(step)}{warned}"
    yield ""


def _title(step: ChangeStep) -> str:
    return f"{step.kind.title()} {code(step.rule.name)} ({console.TABS[step.rule.direction]})"


def _retyping(changed: Sequence[FunctionChange]) -> Iterator[str]:
    if not changed:
        return
    yield "## Rules that need another function ARN"
    yield ""
    yield "**The deployment replaces the functions of these rules. The ARNs that are typed now then name nothing.**"
    yield ""
    for change in changed:
        yield f"- {console.TABS[change.before.direction]}: {code(change.before.name)}"
        yield f"    - typed now: {plain(change.typed)}"
        yield f"    - to do: {plain(change.to_do)}"
        yield f"    - until then: {plain(change.until_then)}"
    yield ""


def _steps(changes: RuleChanges) -> Iterator[str]:
    waits = [number for number, step in enumerate(changes.steps) if step.when is When.AFTER_DEPLOYMENT]
    before = [number for number, step in enumerate(changes.steps) if step.when is When.BEFORE_DEPLOYMENT]
    # The deployment comes before the first step that needs it; if none does, after the last that it would be late for.
    deploy = waits[0] if waits else before[-1] + 1 if before else None
    for number, step in enumerate(changes.steps):
        if number == deploy:
            yield from _deployment(changes)
        yield from _step(number + 1, step, changes)
        if deploy is not None and number >= deploy and step.when is When.BEFORE_DEPLOYMENT and step.before:
            yield f"The deployment has deleted the function of this rule: until this step, {_until(step.before)}."
            yield ""
    if deploy == len(changes.steps):
        yield from _deployment(changes)


def _until(rule: FlowRule) -> str:
    return plain(console.fallback(rule))


def _deployment(changes: RuleChanges) -> Iterator[str]:
    stacks = ", ".join(code(stack) for stack in changes.after.stacks) or "the stacks of the functions"
    yield "## Now the deployment"
    yield ""
    yield f"Have {stacks} deployed, then go on without a pause."
    yield ""


def _step(number: int, step: ChangeStep, changes: RuleChanges) -> Iterator[str]:
    title, empty, *rest = _instructions(number, step, changes)
    yield from (title, empty)
    if step.exposures:  # before it is done
        yield "**Warning.** The order of the steps does not avoid this:"
        yield ""
        yield from (f"- {plain(exposure_in_words(exposure))}" for exposure in step.exposures)
        yield ""
    yield from rest


def _instructions(number: int, step: ChangeStep, changes: RuleChanges) -> Iterator[str]:
    match step.before, step.after:
        case None, rule if rule:
            yield from creation(rule, changes.after, title=f"{number}. Create {rule.name}")
        case old, rule if old and rule:
            yield from _edit(number, old, rule, changes)
        case old, None if old:
            yield f"## {number}. Delete {plain(old.name)}"
            yield ""
            yield f"**{console.TABS[old.direction]}** → {code(old.name)} → **Delete**. {_why_deleted(old, changes)}"
            yield ""


def _edit(number: int, old: FlowRule, new: FlowRule, changes: RuleChanges) -> Iterator[str]:
    yield f"## {number}. Edit {plain(new.name)}"
    yield ""
    yield from console.purpose(new)
    yield ""
    yield f"**{console.TABS[new.direction]}** → {code(new.name)} → **Edit**. Change these fields, then save once:"
    yield ""
    yield "| field | typed now | type instead |"
    yield "|---|---|---|"
    for field, was, is_ in changed_fields(old, new):
        yield f"| {field} | {was} | {is_} |"
    yield ""
    if new.function != old.function:
        yield from console.arn_commands([new], OrganizationPlace.of(changes.after))
    rules, domains = changes.after.rules, changes.after.domains
    yield f"Once all steps are done, {console.test_line(rules, new, domains)}"
    yield ""


def _why_deleted(old: FlowRule, changes: RuleChanges) -> str:
    renamed = next((rule for rule in changes.after.rules if is_typed_alike(rule, old)), None)
    if renamed is None:
        return "It is not declared any more."
    return f"{code(renamed.name)} has taken its place: no source says that a rule can be renamed."


def _to_compare(unknown: Sequence[FlowRule]) -> Iterator[str]:
    if not unknown:
        return
    yield "## To compare yourself"
    yield ""
    yield "One side knows only where to find the ARN of these functions. The field **Lambda function** must have:"
    yield ""
    for rule in unknown:
        yield f"- {console.TABS[rule.direction]}: {code(rule.name)}: {plain(arn_in_words(rule.function))}"
    yield ""


def _listed(chosen: set[Pattern], patterns: Sequence[Pattern]) -> str:
    return ", ".join(code(pattern.text) for pattern in dict.fromkeys(patterns) if pattern in chosen)


def _shortened(patterns: Sequence[Pattern]) -> str:
    shown = ", ".join(pattern.text for pattern in patterns[:MAX_NAMED])
    return shown if len(patterns) <= MAX_NAMED else f"{shown} and {len(patterns) - MAX_NAMED} more"
