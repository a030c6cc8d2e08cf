"""The rules of a direction, found by the patterns that match an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_flow.address import domain_key
from workmail_flow.assumptions import RESTRICTIVENESS, mailbox_key, specificity_of_wildcard
from workmail_flow.patterns import (
    ADDRESS_SPECIFICITY,
    ANY_SPECIFICITY,
    DOMAIN_SPECIFICITY,
    Pattern,
    PatternKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.vocabulary import FlowDirection

Level = tuple[int, int]
Levels = list[Level]
"""A specificity, and the set of rules that have a pattern of that specificity which matches."""


class PatternIndex:
    """Which rules have which patterns on one side.

    A set of rules is an int: bit n stands for the rule at place n of the `RuleIndex`. Deciding is then a few dictionary
    look-ups and bit operations, however many rules there are.
    """

    def __init__(self) -> None:
        self.of_kind: dict[PatternKind, dict[str, int]] = {kind: {} for kind in PatternKind}
        self._addresses = self.of_kind[PatternKind.ADDRESS]
        self._domains = self.of_kind[PatternKind.DOMAIN]
        self._wildcards = self.of_kind[PatternKind.WILDCARD_DOMAIN]
        self._any = self.of_kind[PatternKind.ANY]

    def add(self, pattern: Pattern, rule: int) -> None:
        """Note that the rules of the set `rule` have `pattern`."""
        rules = self.of_kind[pattern.kind]
        rules[pattern.key] = rules.get(pattern.key, 0) | rule

    def levels(self, address: str) -> Levels:
        """Return the specificities at which patterns match, most specific first, each with the rules that have one."""
        levels: Levels = []
        mailbox, at, domain = address.rpartition("@")
        if at:  # without it this is no address, and only `*` matches
            domain = domain_key(domain)
            if rules := self._addresses.get(f"{mailbox_key(mailbox)}@{domain}"):
                levels.append((ADDRESS_SPECIFICITY, rules))
            if rules := self._domains.get(domain):
                levels.append((DOMAIN_SPECIFICITY, rules))
            if self._wildcards:
                levels += self._wildcard_levels(domain)
        if rules := self._any.get(""):
            levels.append((ANY_SPECIFICITY, rules))
        return levels

    def _wildcard_levels(self, domain: str) -> Levels:
        levels: Levels = []
        while domain:
            if rules := self._wildcards.get(domain):
                levels.append((specificity_of_wildcard(domain), rules))
            domain = domain.partition(".")[2]
        return levels


class RuleIndex:
    """The rules of one direction, found by their patterns.

    Attributes:
        rules: Most restrictive first (F10), rules of equal action in the order of the rule set: of equally specific
            rules, the first here decides.
        senders: Which of them have which sender patterns.
        destinations: Which of them have which destination patterns.
    """

    def __init__(self, rules: Iterable[FlowRule], direction: FlowDirection) -> None:
        restrictiveness = {action: place for place, action in enumerate(RESTRICTIVENESS[direction])}
        self.direction = direction
        self.rules = sorted(
            (rule for rule in rules if rule.direction is direction), key=lambda rule: restrictiveness[rule.action]
        )
        self.senders = PatternIndex()
        self.destinations = PatternIndex()
        for place, rule in enumerate(self.rules):
            for pattern in rule.senders:
                self.senders.add(pattern, 1 << place)
            for pattern in rule.destinations:
                self.destinations.add(pattern, 1 << place)


def places(rules: int) -> Iterator[int]:
    """Return the places of the rules in a set of rules."""
    while rules:
        lowest = rules & -rules
        yield lowest.bit_length() - 1
        rules ^= lowest
