"""Which rule decides for one recipient, and why the other rules that match do not (F7-F11)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from workmail_flow.assumptions import FIRST_OF_EQUALS_WINS, specificity_of_rule
from workmail_flow.rule_index import Levels, RuleIndex, places
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.patterns import Pattern


@dataclass(frozen=True, slots=True)
class LostRule:
    """A rule that matches too but does not decide, and why."""

    rule: FlowRule
    reason: str


class RuleDecision:
    """Which rule decides for one recipient of a message. Made by `RuleSet.decide`.

    Attributes:
        rule: The rule that decides; None if none matches.
        action: Its action; Default if no rule matches.
    """

    def __init__(self, inquiry: Inquiry) -> None:
        self.rule: Final = inquiry.winner
        self.action: Final = self.rule.action if self.rule else RuleAction.DEFAULT
        self._inquiry = inquiry

    # Both are made on demand: a rule is decided far more often than the decision is explained.

    @cached_property
    def reason(self) -> str:
        """Why this rule: the patterns that matched, and the fact that decided among several rules."""
        return self._inquiry.reason()

    @cached_property
    def lost(self) -> tuple[LostRule, ...]:
        """The other rules that match, the one that would decide next first."""
        return tuple(self._inquiry.lost())

    def __repr__(self) -> str:
        return f"RuleDecision(rule={self.rule and self.rule.name!r}, action={self.action.value})"


class Inquiry:
    """One question to an index: which rule decides, and on demand why, and why others do not."""

    __slots__ = ("_destinations", "_index", "_recipient", "_stage", "_stages", "_won", "winner")

    def __init__(self, index: RuleIndex, sender: str | None, from_: str, recipient: str) -> None:
        self._index = index
        self._recipient = recipient
        self._destinations = index.destinations.levels(recipient)
        self._stages = _stages(index.direction, sender, from_)
        self._won: _Match | None = None
        for stage, (_, addresses) in enumerate(self._stages):
            self._stage = stage
            self._won = self._best(self._senders(addresses))
            if self._won:
                break
        self.winner = index.rules[self._won[0]] if self._won else None

    def _senders(self, addresses: tuple[str, ...]) -> Levels:
        levels = self._index.senders.levels(addresses[0])
        if len(addresses) > 1:
            address = addresses[1]
            joined = dict(levels)
            for specificity, rules in self._index.senders.levels(address):
                joined[specificity] = joined.get(specificity, 0) | rules
            levels = sorted(joined.items(), reverse=True)
        return levels

    def _best(self, senders: Levels) -> _Match | None:
        # Senders outside, destinations inside: the order of `specificity_of_rule`.
        for sender, has_sender in senders:
            for destination, has_destination in self._destinations:
                if both := has_sender & has_destination:
                    return (both & -both).bit_length() - 1, sender, destination
        return None

    def reason(self) -> str:
        """Say why the winner decides."""
        if self.winner is None or self._won is None:
            headers = " and ".join(header for header, _ in self._stages)
            return (
                f"no {self._index.direction.lower()} rule matches {headers} and recipient: the mail goes its normal way"
            )
        header, addresses = self._stages[self._stage]
        place, sender, destination = self._won
        text = (
            f"its sender pattern {_described(self.winner.senders, sender, addresses)} matches the {header} address"
            + (", which counts since no rule matches the Sender (F7)," if self._stage else "")
            + f" and its destination pattern {_described(self.winner.destinations, destination, (self._recipient,))}"
            " matches the recipient"
        )
        matching, equal = self._rivals(sender, destination, addresses)
        if matching == 1 << place:
            return text
        if equal == 1 << place:
            return f"{text}; of {matching.bit_count()} rules that match it is the most specific (F9)"
        if any(self._index.rules[other].action is self.winner.action for other in places(equal ^ 1 << place)):
            return f"{text}; of equally specific and equally restrictive rules {FIRST_OF_EQUALS_WINS} (F10)"
        return f"{text}; of {equal.bit_count()} equally specific rules its action is the most restrictive (F10)"

    def _rivals(self, sender: int, destination: int, addresses: tuple[str, ...]) -> tuple[int, int]:
        """Return the rules that match, and those of them that match as specifically as the winner does."""
        senders, destinations = dict(self._senders(addresses)), dict(self._destinations)
        any_sender = any_destination = 0
        for rules in senders.values():
            any_sender |= rules
        for rules in destinations.values():
            any_destination |= rules
        # A rule with a more specific pattern besides would have won.
        return any_sender & any_destination, senders[sender] & destinations[destination]

    def lost(self) -> Iterator[LostRule]:
        """Return the other rules that match, the one that would decide next first."""
        if self.winner is None or self._won is None:
            return
        seen = {self._won[0]}
        for stage, match in self._matches():
            if match[0] not in seen:
                seen.add(match[0])
                yield LostRule(self._index.rules[match[0]], self._why_lost(stage, match, self.winner, self._won))

    def _matches(self) -> Iterator[tuple[int, _Match]]:
        """Return each rule that matches in each stage, with its most specific patterns; the next to decide first."""
        for stage, (_, addresses) in enumerate(self._stages[self._stage :], self._stage):
            matches = []
            best_senders = _best_of_each(self._senders(addresses))
            best_destinations = _best_of_each(self._destinations)
            for place, sender in best_senders.items():
                if place in best_destinations:
                    matches.append((place, sender, best_destinations[place]))
            matches.sort(key=lambda match: match[0])
            matches.sort(key=lambda match: specificity_of_rule(match[1], match[2]), reverse=True)
            yield from ((stage, match) for match in matches)

    def _why_lost(self, stage: int, match: _Match, winner: FlowRule, won: _Match) -> str:
        place, sender, destination = match
        rule = self._index.rules[place]
        _, addresses = self._stages[stage]
        if stage != self._stage:
            return "it matches the From address only, which does not count once a rule matches the Sender (F7)"
        if specificity_of_rule(sender, destination) != specificity_of_rule(won[1], won[2]):
            if sender != won[1]:
                side, own, own_of, other, other_of = "sender", rule.senders, sender, winner.senders, won[1]
            else:
                side, own, own_of, other, other_of = (
                    "destination",
                    rule.destinations,
                    destination,
                    winner.destinations,
                    won[2],
                )
                addresses = (self._recipient,)
            return (
                f"its {side} pattern {_described(own, own_of, addresses)} is less specific than "
                f"{_described(other, other_of, addresses)} (F9)"
            )
        if rule.action is not winner.action:
            return f"it is as specific, and {rule.action} restricts less than {winner.action} (F10)"
        return f"it is as specific and has the same action: {FIRST_OF_EQUALS_WINS} (F10)"


_Match = tuple[int, int, int]
"""A rule's place in the index, and the specificities of the best of its sender and destination patterns that match."""


def _stages(direction: FlowDirection, sender: str | None, from_: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the addresses to look at, one stage after the other until a rule matches (F7)."""
    if not sender:
        return (("From", (from_,)),)
    if sender == from_:
        return (("Sender", (sender,)),)
    if direction is FlowDirection.INBOUND:
        return ("Sender", (sender,)), ("From", (from_,))
    return (("Sender or From", (sender, from_)),)


def _best_of_each(levels: Levels) -> dict[int, int]:
    """Return the greatest specificity of each rule's matching patterns, by the rule's place."""
    best: dict[int, int] = {}
    for specificity, rules in levels:
        for place in places(rules):
            best.setdefault(place, specificity)
    return best


def _described(patterns: Iterable[Pattern], specificity: int, addresses: tuple[str, ...]) -> str:
    pattern = next(
        pattern
        for pattern in patterns
        if pattern.specificity == specificity and any(pattern.matches(address) for address in addresses)
    )
    return f"{pattern.text} ({pattern.kind})"
