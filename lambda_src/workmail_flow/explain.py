"""A rule set for people: a Mermaid diagram, and a table of who gets what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workmail_flow.console import ACTION_LABELS
from workmail_flow.coverage import groups
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_flow.coverage import Group
    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.patterns import Pattern
    from workmail_flow.rule_set import RuleSet

MAX_SHOWN: Final = 5
"""How many patterns one edge or cell shows; the rest are counted."""


def explain(rule_set: RuleSet) -> str:
    """Return the rule set as Markdown: for each direction a Mermaid flow chart and a table of who gets what."""
    return "\n".join(line for direction in FlowDirection for line in _direction(rule_set, direction))


def _direction(rule_set: RuleSet, direction: FlowDirection) -> Iterator[str]:
    found = groups((rule_set,), direction)
    yield f"## {direction.capitalize()} mail"
    yield ""
    yield "```mermaid"
    yield from _mermaid(rule_set, direction, found)
    yield "```"
    yield ""
    yield "| from | to | rule | action |"
    yield "|---|---|---|---|"
    for group in found:
        rule = group.rules[0]
        yield (
            f"| {_cell(group.senders)} | {_cell(group.destinations)} | {_escaped(rule.name) if rule else 'none'} "
            f"| {_action(rule)} |"
        )
    yield ""
    yield "A pattern means the addresses that it matches and that no narrower pattern in its column matches."
    if silent := [rule.name for rule in rule_set if rule.direction is direction and not _decides(rule, found)]:
        yield f"These rules never decide: {', '.join(_escaped(name) for name in silent)}."
    yield ""


def _mermaid(rule_set: RuleSet, direction: FlowDirection, found: Sequence[Group]) -> Iterator[str]:
    yield "flowchart LR"
    yield f'    mail(["{direction.capitalize()} mail"])'
    deciding = [rule for rule in rule_set if rule.direction is direction and _decides(rule, found)]
    for number, rule in enumerate(deciding):
        yield f'    rule{number}["{_quoted(rule.name)}"]'
        for group in found:
            if group.rules[0] is rule:
                who = f"{_quoted(_shown(group.senders))}<br/>to {_quoted(_shown(group.destinations))}"
                yield f'    mail -->|"from {who}"| rule{number}'
        yield f"    rule{number} --> {_node(rule.action)}"
    if any(group.rules[0] is None for group in found):
        yield f'    mail -->|"all other mail"| {_node(RuleAction.DEFAULT)}'
    actions = [rule.action for rule in deciding]
    actions += [RuleAction.DEFAULT] if any(group.rules[0] is None for group in found) else []
    for action in dict.fromkeys(actions):
        yield f'    {_node(action)}{{{{"{ACTION_LABELS[action]}"}}}}'


def _node(action: RuleAction) -> str:
    return f"action_{action.lower()}"  # not the bare word: `default` means something to Mermaid


def _decides(rule: FlowRule, found: Sequence[Group]) -> bool:
    return any(group.rules[0] is rule for group in found)


def _action(rule: FlowRule | None) -> str:
    if rule is None:
        return f"{ACTION_LABELS[RuleAction.DEFAULT]} (no rule matches)"
    if rule.action is RuleAction.RUN_LAMBDA:
        return f"{ACTION_LABELS[rule.action]}, {'synchronous' if rule.synchronous else 'asynchronous'}"
    return ACTION_LABELS[rule.action]


def _shown(patterns: Sequence[Pattern]) -> str:
    shown = ", ".join(pattern.text for pattern in patterns[:MAX_SHOWN])
    return shown if len(patterns) <= MAX_SHOWN else f"{shown} and {len(patterns) - MAX_SHOWN} more"


def _cell(patterns: Sequence[Pattern]) -> str:
    shown = ", ".join(f"`{pattern.text}`" for pattern in patterns[:MAX_SHOWN]).replace("|", "\\|")
    return shown if len(patterns) <= MAX_SHOWN else f"{shown} and {len(patterns) - MAX_SHOWN} more"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]<>|" else char for char in text)


def _quoted(text: str) -> str:
    """Return text for a Mermaid string, where quotes are written as entities."""
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
