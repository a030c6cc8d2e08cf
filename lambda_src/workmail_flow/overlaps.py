"""Which rules have a pattern that contains, is within or equals a given one, without comparing pairs.

Any two patterns are either nested or have no address in common, so every question is a few look-ups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_flow.patterns import Pattern, PatternKind

if TYPE_CHECKING:
    from workmail_flow.rule_index import PatternIndex


class Overlaps:
    """The nesting of one side's patterns. A set of rules is an int, as in `PatternIndex`."""

    def __init__(self, index: PatternIndex) -> None:
        self._index = index
        self._addresses_of_domain: dict[str, int] = {}
        self._under: dict[str, int] = {}
        self._narrower_than_any = 0
        for kind, of_kind in index.of_kind.items():
            for key, rules in of_kind.items():
                if kind is PatternKind.ANY:
                    continue
                self._narrower_than_any |= rules
                domain = key.rpartition("@")[2]
                if kind is PatternKind.ADDRESS:
                    _add(self._addresses_of_domain, domain, rules)
                for suffix in _suffixes(domain.partition(".")[2] if kind is PatternKind.WILDCARD_DOMAIN else domain):
                    _add(self._under, suffix, rules)

    def equal(self, pattern: Pattern) -> int:
        """Return the rules that have this pattern."""
        return self._index.of_kind[pattern.kind].get(pattern.key, 0)

    def around(self, pattern: Pattern) -> int:
        """Return the rules that have a wider pattern around this one."""
        if pattern.kind is PatternKind.ANY:
            return 0
        of_kind = self._index.of_kind
        rules = of_kind[PatternKind.ANY].get("", 0)
        domain = pattern.key.rpartition("@")[2]
        if pattern.kind is PatternKind.ADDRESS:
            rules |= of_kind[PatternKind.DOMAIN].get(domain, 0)
        above = domain.partition(".")[2] if pattern.kind is PatternKind.WILDCARD_DOMAIN else domain
        for suffix in _suffixes(above):
            rules |= of_kind[PatternKind.WILDCARD_DOMAIN].get(suffix, 0)
        return rules

    def inside(self, pattern: Pattern) -> int:
        """Return the rules that have a narrower pattern within this one."""
        match pattern.kind:
            case PatternKind.ADDRESS:
                return 0
            case PatternKind.DOMAIN:
                return self._addresses_of_domain.get(pattern.key, 0)
            case PatternKind.WILDCARD_DOMAIN:
                return self._under.get(pattern.key, 0)
            case PatternKind.ANY:
                return self._narrower_than_any

    def touching(self, pattern: Pattern) -> int:
        """Return the rules that have a pattern with an address in common with this one."""
        return self.equal(pattern) | self.around(pattern) | self.inside(pattern)

    def typical_address(self, pattern: Pattern) -> str:
        """Return an address that the pattern matches and that no pattern within it does."""
        if pattern.kind is PatternKind.ADDRESS:
            return pattern.key
        number = 0
        while True:
            number += 1
            mark = str(number) if number > 1 else ""
            address = {
                PatternKind.DOMAIN: f"someone{mark}@{pattern.key}",
                PatternKind.WILDCARD_DOMAIN: f"someone@mail{mark}.{pattern.key}",
                PatternKind.ANY: f"someone@elsewhere.example{mark}",
            }[pattern.kind]
            # This ends: only finitely many patterns name one of these addresses.
            levels = self._index.levels(address)
            if not levels or levels[0][0] <= pattern.specificity:
                return address


def overlap(one: Pattern, other: Pattern) -> Pattern | None:
    """Return the narrower of two nested patterns; None if they have no address in common."""
    if one.specificity < other.specificity:  # the narrower of nested patterns is the more specific
        one, other = other, one
    return one if one == other or _contains(other, one) else None


def _contains(outer: Pattern, inner: Pattern) -> bool:
    domain = inner.key.rpartition("@")[2]
    match outer.kind:
        case PatternKind.ANY:
            return True
        case PatternKind.WILDCARD_DOMAIN:
            return inner.kind is not PatternKind.ANY and (domain == outer.key or domain.endswith("." + outer.key))
        case PatternKind.DOMAIN:
            return inner.kind is PatternKind.ADDRESS and domain == outer.key
        case PatternKind.ADDRESS:
            return False


def _suffixes(domain: str) -> list[str]:
    suffixes = []
    while domain:
        suffixes.append(domain)
        domain = domain.partition(".")[2]
    return suffixes


def _add(rules_of: dict[str, int], key: str, rules: int) -> None:
    rules_of[key] = rules_of.get(key, 0) | rules
