"""All mail, divided into groups for which the same rules match, as `diff` and `explain` need it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workmail_flow.overlaps import Overlaps
from workmail_flow.patterns import Pattern
from workmail_flow.rule_index import PatternIndex, RuleIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.rule_set import RuleSet
    from workmail_flow.vocabulary import FlowDirection

ANYONE: Final = Pattern.parse("*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Mail for which each of some rule sets decides one way.

    Args:
        senders: Each means the addresses that it matches and that no narrower sender pattern of the rules matches.
        destinations: As for `senders`.
        rules: The rule that decides in each rule set; None where none matches.
    """

    senders: tuple[Pattern, ...]
    destinations: tuple[Pattern, ...]
    rules: tuple[FlowRule | None, ...]


def groups(rule_sets: Sequence[RuleSet], direction: FlowDirection) -> tuple[Group, ...]:
    """Divide all mail of a direction, its `Sender` and `From` the same, into groups, merged where rules agree."""
    all_rules = RuleIndex((rule for rule_set in rule_sets for rule in rule_set), direction)
    senders = alike(all_rules.senders, (pattern for rule in all_rules.rules for pattern in rule.senders))
    destinations = alike(all_rules.destinations, (pattern for rule in all_rules.rules for pattern in rule.destinations))
    merged: defaultdict[tuple[tuple[Pattern, ...], tuple[FlowRule | None, ...]], list[Pattern]] = defaultdict(list)
    for sender, sender_patterns in senders:
        by_decision: defaultdict[tuple[FlowRule | None, ...], list[Pattern]] = defaultdict(list)
        for destination, destination_patterns in destinations:
            decided = tuple(
                rule_set.decide(direction=direction, sender=None, from_=sender, recipient=destination).rule
                for rule_set in rule_sets
            )
            by_decision[decided] += destination_patterns
        for decided, patterns in by_decision.items():
            merged[tuple(patterns), decided] += sender_patterns
    return tuple(
        Group(senders=tuple(sender_patterns), destinations=patterns, rules=decided)
        for (patterns, decided), sender_patterns in merged.items()
    )


def alike(index: PatternIndex, patterns: Iterable[Pattern]) -> list[tuple[str, list[Pattern]]]:
    """Group patterns that the same rules match; return each group with the typical address of one pattern."""
    overlaps = Overlaps(index)
    alike: dict[tuple[tuple[int, int], ...], tuple[str, list[Pattern]]] = {}
    for pattern in dict.fromkeys([*patterns, ANYONE]):
        address = overlaps.typical_address(pattern)
        alike.setdefault(tuple(index.levels(address)), (address, []))[1].append(pattern)
    return list(alike.values())
