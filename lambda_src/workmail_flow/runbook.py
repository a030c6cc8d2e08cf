"""What an administrator types in the console to create the rules: there is no API for it (L7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workmail_flow.arns import is_known_arn
from workmail_flow.change_plan import creation_key
from workmail_flow.function_change import arn_in_words
from workmail_flow.limits import END_OF_SUPPORT
from workmail_flow.overlaps import Overlaps
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.function_change import FunctionChange
    from workmail_flow.patterns import Pattern
    from workmail_flow.rule_set import RuleSet

ACTION_LABELS: Final = {
    RuleAction.DROP: "Drop",
    RuleAction.BOUNCE: "Bounce",
    RuleAction.MOVE_TO_JUNK: "Deliver to junk",
    RuleAction.DEFAULT: "Default",
    RuleAction.BYPASS_SPAM_CHECK: "Never deliver to junk",
    RuleAction.ROUTE_TO_SMTP_GATEWAY: "Route to SMTP gateway",
    RuleAction.RUN_LAMBDA: "Run Lambda",
}
"""The console's words for the actions (F2, F3)."""


def creation_order(rule_set: RuleSet) -> tuple[FlowRule, ...]:
    """Return the rules in the order of `creation_key`."""
    return tuple(sorted(rule_set, key=creation_key))


def runbook(rule_set: RuleSet, *, organization_id: str, changed: Sequence[FunctionChange] = ()) -> str:
    """Return the console steps, as Markdown.

    Args:
        rule_set: The rules of one organization. A rule's function that is not an ARN is taken as words that say where
            to find it.
        organization_id: The organization's id, or words that say where to find it.
        changed: Rules that were typed before, and whose function the next deployment replaces; they come first.
    """
    rules = creation_order(rule_set)
    parts = (_opening(organization_id, rules), _retyping(changed), _creation(rule_set, rules), _removal(rules))
    return "\n".join(line for part in parts for line in part) + "\n"


def _opening(organization_id: str, rules: tuple[FlowRule, ...]) -> Iterator[str]:
    yield f"# Email flow rules of organization {_code(organization_id)}"
    yield ""
    yield "No API creates email flow rules; an administrator types them in the Amazon WorkMail console."
    yield f"WorkMail ends on {END_OF_SUPPORT}: after that neither console nor rules are reachable."
    yield ""
    if not rules:
        yield "There are no rules to create."
        return
    yield "A rule takes effect at once. Create the rules **in the order given**: what lets mail pass comes before what"
    yield "drops or bounces it, so that no mail is lost while the set is incomplete."
    yield ""


def _retyping(changed: Sequence[FunctionChange]) -> Iterator[str]:
    if not changed:
        return
    yield "## Rules that need another function ARN"
    yield ""
    yield "**The deployment replaces the functions of these rules. The ARNs that are typed now then name nothing.**"
    yield ""
    for change in changed:
        yield f"- {_TABS[change.before.direction]}: {_code(change.before.name)}"
        yield f"    - typed now: {_plain(change.typed)}"
        yield f"    - to do: {_plain(change.to_do)}"
        yield f"    - until then: {_plain(change.until_then)}"
    yield ""


def _creation(rule_set: RuleSet, rules: tuple[FlowRule, ...]) -> Iterator[str]:
    for number, rule in enumerate(rules, 1):
        yield f"## {number}. {_plain(rule.name)}"
        yield ""
        if rule.action is RuleAction.RUN_LAMBDA:
            yield _before_run_lambda(rule)
            yield ""
        yield f"Organizations → the organization → Organization settings → **{_TABS[rule.direction]}** → **Create**."
        yield "Enter:"
        yield ""
        yield "| field | value |"
        yield "|---|---|"
        for field, value in _fields(rule):
            yield f"| {field} | {value} |"
        yield ""
        for field, patterns in (("Sender", rule.senders), ("Destination", rule.destinations)):
            yield f"{field} domains or addresses, {_counted(patterns)}:"
            yield ""
            yield "```text"
            yield from (pattern.text for pattern in patterns)
            yield "```"
            yield ""
        yield f"Choose **Create**. {_test(rule_set, rule)}"
        yield ""


def _before_run_lambda(rule: FlowRule) -> str:
    if rule.function and is_known_arn(rule.function):
        return "First make sure that the function is deployed and lets WorkMail invoke it."
    return "First deploy the function's stack; only then is the ARN to enter known."


def _fields(rule: FlowRule) -> Iterator[tuple[str, str]]:
    yield "Rule name", _code(rule.name)
    yield "Action", f"**{ACTION_LABELS[rule.action]}**"
    if rule.action is RuleAction.ROUTE_TO_SMTP_GATEWAY:
        yield "SMTP gateway", _code(rule.smtp_gateway) if rule.smtp_gateway else "the organization's SMTP gateway"
    if rule.action is not RuleAction.RUN_LAMBDA:
        return
    yield "Lambda function", _function(rule.function)
    yield "Run synchronously", "**yes**" if rule.synchronous else "**no**"
    if rule.fallback:
        yield "Fallback action", f"**{ACTION_LABELS[rule.fallback]}**"
        yield "Rule timeout (minutes)", f"**{rule.rule_timeout_minutes}**"


def _function(function: str | None) -> str:
    if function is None:
        return "the ARN of the rule's function, among the outputs of its stack once that is deployed"
    return _code(function) if is_known_arn(function) else _plain(arn_in_words(function))


def _test(rule_set: RuleSet, rule: FlowRule) -> str:
    """Say what the console's Test shows once all rules are there (F14)."""
    index = rule_set.index(rule.direction)
    sender = Overlaps(index.senders).typical_address(rule.senders[0])
    recipient = Overlaps(index.destinations).typical_address(rule.destinations[0])
    decision = rule_set.decide(direction=rule.direction, sender=None, from_=sender, recipient=recipient)
    shown = f"**{ACTION_LABELS[decision.action]}**"
    if decision.rule is not rule and decision.rule is not None:
        shown += f", of rule {_code(decision.rule.name)}"
    return f"Once all rules are there, **Test** with {_code(sender)} and {_code(recipient)} shows {shown}."


def _removal(rules: tuple[FlowRule, ...]) -> Iterator[str]:
    if not rules:
        return
    yield "## To remove the rules"
    yield ""
    yield "Delete them in the reverse order, and a function only after the rule that runs it:"
    yield ""
    for number, rule in enumerate(reversed(rules), 1):
        yield f"{number}. {_TABS[rule.direction]}: {_code(rule.name)}"


_TABS = {FlowDirection.INBOUND: "Inbound rules", FlowDirection.OUTBOUND: "Outbound rules"}


def _counted(patterns: tuple[Pattern, ...]) -> str:
    return "one pattern" if len(patterns) == 1 else f"{len(patterns)} patterns, each an entry of its own"


def _code(text: str) -> str:
    """Return text as a Markdown code span that a table cell may hold."""
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|")


def _plain(text: str) -> str:
    """Return text as Markdown that shows it as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|" else char for char in text)
