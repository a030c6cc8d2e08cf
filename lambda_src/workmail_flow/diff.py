"""How two rule sets differ: whose mail they treat differently, whatever the names of their rules."""

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
    """Mail that two rule sets treat differently.

    Args:
        direction: Which way it travels.
        senders: Patterns. Each means the addresses that no narrower sender pattern of either set matches.
        destinations: As for `senders`.
        before: The rule that decides in the first set; None if none matches, which has the effect of Default.
        after: The rule that decides in the second set; None likewise.
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
    """Return the mail that `after` treats differently than `before`; nothing if there is none."""
    return tuple(change for direction in FlowDirection for change in _changes(before, after, direction))


def _changes(before: RuleSet, after: RuleSet, direction: FlowDirection) -> Iterator[Change]:
    for group in groups((before, after), direction):
        old, new = group.rules
        if effect_of(old) != effect_of(new):
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


def effect_of(rule: FlowRule | None) -> tuple[object, ...]:
    """Return what happens to mail for which `rule` decides; equal for two rules that are interchangeable."""
    # Mail that no rule matches goes its normal way, as under a Default rule.
    return rule.effect if rule and rule.action is not RuleAction.DEFAULT else (RuleAction.DEFAULT,)


def _listed(patterns: tuple[Pattern, ...]) -> str:
    return ", ".join(pattern.text for pattern in patterns)
