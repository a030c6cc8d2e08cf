"""How two rule sets differ: whose mail is treated otherwise, whatever the rules are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_flow.coverage import groups
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.patterns import Pattern
    from workmail_flow.rule_set import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Mail that is treated otherwise.

    Args:
        direction: The way it travels.
        senders: Patterns, each for the addresses that no narrower sender pattern of either set matches.
        destinations: Likewise.
        before: The rule that decided; None if none matched, which is as Default.
        after: The rule that decides now.
    """

    direction: FlowDirection
    senders: tuple[Pattern, ...]
    destinations: tuple[Pattern, ...]
    before: FlowRule | None
    after: FlowRule | None

    def __str__(self) -> str:
        senders, destinations = _listed(self.senders), _listed(self.destinations)
        return (
            f"{self.direction.lower()} mail from {senders} to {destinations}: "
            f"{effect_in_words(self.before)} → {effect_in_words(self.after)}"
        )


def diff(before: RuleSet, after: RuleSet) -> tuple[Change, ...]:
    """Return whose mail is treated otherwise by `after` than by `before`; nothing if nobody's is."""
    return tuple(change for direction in FlowDirection for change in _changes(before, after, direction))


def _changes(before: RuleSet, after: RuleSet, direction: FlowDirection) -> Iterator[Change]:
    for group in groups((before, after), direction):
        old, new = group.rules
        if _effect(old) != _effect(new):
            yield Change(
                direction=direction, senders=group.senders, destinations=group.destinations, before=old, after=new
            )


def effect_in_words(rule: FlowRule | None) -> str:
    """Say what happens to mail for which `rule` decides."""
    if rule is None:
        return f"{RuleAction.DEFAULT} (no rule)"
    details = []
    if rule.action is RuleAction.RUN_LAMBDA:
        details.append(rule.function or "function not known")
        details.append("synchronous" if rule.synchronous else "asynchronous")
    if rule.fallback:
        details.append(f"fallback {rule.fallback}, rule timeout {rule.rule_timeout_minutes} min")
    if rule.smtp_gateway:
        details.append(rule.smtp_gateway)
    return " ".join([rule.action, *([f"[{', '.join(details)}]"] if details else []), f"(rule {rule.name!r})"])


def _effect(rule: FlowRule | None) -> tuple[object, ...]:
    # Mail that no rule matches goes its normal way, as under a Default rule.
    return rule.effect if rule and rule.action is not RuleAction.DEFAULT else (RuleAction.DEFAULT,)


def _listed(patterns: tuple[Pattern, ...]) -> str:
    return ", ".join(pattern.text for pattern in patterns)
