"""In which order to change the rules that were typed, so that mail meets the old or the new rules meanwhile (F14)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from workmail_flow.assumptions import specificity_of_rule
from workmail_flow.coverage import alike
from workmail_flow.diff import effect_of
from workmail_flow.rule_index import RuleIndex, places
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.patterns import Pattern
    from workmail_flow.rule_set import RuleSet

_CREATED: Final = (
    RuleAction.DEFAULT,
    RuleAction.BYPASS_SPAM_CHECK,
    RuleAction.ROUTE_TO_SMTP_GATEWAY,
    RuleAction.MOVE_TO_JUNK,
    RuleAction.RUN_LAMBDA,
    RuleAction.BOUNCE,
    RuleAction.DROP,
)
# What can only deliver comes first, what can lose mail last: while rules are missing, no mail is bounced or dropped
# that the whole set delivers (F11).


class StepKind(StrEnum):
    """What to do with one rule in the console."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


class When(StrEnum):
    """When a step is to be done."""

    BEFORE_DEPLOYMENT = "before"
    """The deployment deletes the function that the rule runs."""
    ANY_TIME = "any"
    AFTER_DEPLOYMENT = "after"
    """Only the deployment decides the ARN to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Mail that for some steps meets neither what the old rules do nor what the new ones do.

    Args:
        direction: Which way it travels.
        senders: Patterns. Each means the addresses that no narrower sender pattern of old or new rules matches.
        destinations: As for `senders`.
        rule: The rule that decides meanwhile; None if none matches, which has the effect of Default.
        until: The number of the step that ends it.
    """

    direction: FlowDirection
    senders: tuple[Pattern, ...]
    destinations: tuple[Pattern, ...]
    rule: FlowRule | None
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeStep:
    """One change in the console.

    Args:
        before: The rule to edit or delete, as it was typed; None for one to create.
        after: The rule as it is to be typed; None for one to delete.
        when: Whether the step has to wait for the deployment, or the deployment for it.
        exposures: Mail that meets a third treatment from this step on; none if the step is safe.
    """

    before: FlowRule | None
    after: FlowRule | None
    when: When
    exposures: tuple[Exposure, ...] = ()

    @property
    def kind(self) -> StepKind:
        """What to do."""
        if self.before is None:
            return StepKind.CREATE
        return StepKind.DELETE if self.after is None else StepKind.EDIT

    @property
    def rule(self) -> FlowRule:
        """The rule as it is to be, or was."""
        rule = self.after or self.before
        assert rule is not None, "a step has a rule"  # noqa: S101
        return rule


def creation_key(rule: FlowRule) -> tuple[int, int, int]:
    """Return what sorts rules into an order of creation that never bounces or drops mail by mistake meanwhile.

    Functions may drop mail too, so Run Lambda rules come after what delivers. More specific rules come before broader
    ones. Removal is as safe in the reverse order.
    """
    sender, destination = specificity_of_rule(_most_specific(rule.senders), _most_specific(rule.destinations))
    return _CREATED.index(rule.action), -sender, -destination


def is_typed_alike(one: FlowRule, other: FlowRule) -> bool:
    """Whether two rules have the same fields in the console, whatever their names."""
    return _mail(one) == _mail(other) and one.effect == other.effect


def plan_changes(
    before: RuleSet,
    after: RuleSet,
    *,
    not_yet: Collection[str] = (),
    not_any_more: Collection[str] = (),
) -> tuple[ChangeStep, ...]:
    """Return the steps from the rules that were typed to those that are declared, in the order to do them.

    After each step, each message is treated as `before` treats it or as `after` does. Where no order does that, a step
    names the mail that is treated in a third way, and the step that ends it. Messages whose `Sender` and `From` differ
    are not looked at separately. A rule is known by its name and direction; no source says that a name can be edited.

    Args:
        before: The rules of one organization as they were typed.
        after: The rules as they are declared.
        not_yet: Functions of `after` whose ARN only the deployment decides.
        not_any_more: Functions of `before` that the deployment deletes.
    """
    old = {(rule.name, rule.direction): rule for rule in before}
    new = {(rule.name, rule.direction): rule for rule in after}
    steps = []
    for key in {**old, **new}:
        one, other = old.get(key), new.get(key)
        if one is not None and other is not None and is_typed_alike(one, other):
            new[key] = one
            continue
        when = When.ANY_TIME
        if other is not None and other.function in not_yet:
            when = When.AFTER_DEPLOYMENT
        elif one is not None and one.function in not_any_more:
            when = When.BEFORE_DEPLOYMENT
        steps.append(ChangeStep(before=one, after=other, when=when))
    return _Planner(old, new, steps).plan()


# The order


@dataclass(frozen=True, slots=True)
class _Point:
    """Mail that the same rules match.

    Args:
        matching: The rules that match, most specific first; each number is a set of equally specific rules.
        allowed: What may happen to it: what the old rules do, and what the new ones do.
    """

    senders: tuple[Pattern, ...]
    destinations: tuple[Pattern, ...]
    matching: tuple[int, ...]
    allowed: frozenset[tuple[object, ...]]


class _Direction:
    """All the mail of a direction, and which rule decides for it whichever rules there are.

    A set of rules is an int, as in `PatternIndex`: the old and the new form of a changed rule are a rule each.
    """

    def __init__(self, direction: FlowDirection, old: Iterable[FlowRule], new: Iterable[FlowRule]) -> None:
        self.direction = direction
        index = RuleIndex(dict.fromkeys([*new, *old]), direction)
        self._rules = index.rules
        self._place = {rule: place for place, rule in enumerate(index.rules)}
        was, will_be = self.set_of(old), self.set_of(new)
        self.points: list[_Point] = []
        self._of_rule: defaultdict[int, list[int]] = defaultdict(list)
        senders = alike(index.senders, (pattern for rule in index.rules for pattern in rule.senders))
        destinations = alike(index.destinations, (pattern for rule in index.rules for pattern in rule.destinations))
        for sender, sender_patterns in senders:
            by_sender = index.senders.levels(sender)
            for recipient, destination_patterns in destinations:
                by_destination = index.destinations.levels(recipient)
                # Senders outside, destinations inside: the order of `specificity_of_rule`.
                matching = tuple(
                    both for _, has in by_sender for _, has_too in by_destination if (both := has & has_too)
                )
                allowed = frozenset(effect_of(self._first(matching, rules)) for rules in (was, will_be))
                point = _Point(tuple(sender_patterns), tuple(destination_patterns), matching, allowed)
                for place in {place for rules in matching for place in places(rules)}:
                    self._of_rule[place].append(len(self.points))
                self.points.append(point)

    def set_of(self, rules: Iterable[FlowRule]) -> int:
        """Return the set of those of the rules that have this direction."""
        found = 0
        for rule in rules:
            if rule.direction is self.direction:
                found |= 1 << self._place[rule]
        return found

    def touched(self, rules: int) -> set[int]:
        """Return the points that one of the rules matches."""
        return {point for place in places(rules) for point in self._of_rule[place]}

    def decide(self, point: int, present: int) -> FlowRule | None:
        """Return the rule that decides while the rules of the set `present` are there."""
        return self._first(self.points[point].matching, present)

    def is_allowed(self, point: int, present: int) -> bool:
        """Whether the mail is treated as by the old or by the new rules."""
        return effect_of(self.decide(point, present)) in self.points[point].allowed

    def _first(self, matching: Iterable[int], present: int) -> FlowRule | None:
        for rules in matching:
            if rules & present:
                return self._rules[next(places(rules & present))]
        return None


_Key = tuple[str, FlowDirection]


class _Planner:
    """Finds the order, one step after the other."""

    def __init__(self, old: dict[_Key, FlowRule], new: dict[_Key, FlowRule], steps: Iterable[ChangeStep]) -> None:
        self._directions = {way: _Direction(way, old.values(), new.values()) for way in FlowDirection}
        self._at_first = {way: each.set_of(old.values()) for way, each in self._directions.items()}
        self._present = dict(self._at_first)
        self._exposed: dict[FlowDirection, set[int]] = {way: set() for way in FlowDirection}
        self._remaining = sorted(steps, key=_preference)

    def plan(self) -> tuple[ChangeStep, ...]:
        """Return the steps in their order, with the mail that each exposes."""
        ordered = []
        while self._remaining:
            step = self._next()
            self._remaining.remove(step)
            ordered.append(step)
            way = step.rule.direction
            touched, exposed = self._consequences(step)
            self._exposed[way] = self._exposed[way] - touched | exposed
            self._present[way] = self._after(step, self._present[way])
        exposures = self._exposures(ordered)
        return tuple(
            replace(step, exposures=tuple(exposures.get(number, ()))) for number, step in enumerate(ordered, 1)
        )

    def _next(self) -> ChangeStep:
        """Return the first safe step, one that ends an exposure before others; without one, the least harmful."""
        safe: ChangeStep | None = None
        harmful: list[tuple[tuple[int, int], ChangeStep]] = []
        to_delete = {step.rule.name for step in self._remaining if step.kind is StepKind.DELETE}
        for step in self._remaining:
            if step.kind is StepKind.CREATE and step.rule.name in to_delete:
                continue  # a name is unique in the organization, whatever the direction (F1)
            way = step.rule.direction
            touched, exposed = self._consequences(step)
            before = self._exposed[way]
            if not exposed - before:
                if not any(self._exposed.values()) or touched & before - exposed:
                    return step
                safe = safe or step
            else:
                harmful.append((self._harm(step, exposed - before), step))
        return safe or min(harmful, key=lambda each: each[0])[1]

    def _consequences(self, step: ChangeStep) -> tuple[set[int], set[int]]:
        """Return the points that the step's rules match, and those of them that it leaves treated in a third way."""
        direction = self._directions[step.rule.direction]
        present = self._after(step, self._present[step.rule.direction])
        touched = direction.touched(self._rules_of(step))
        return touched, {point for point in touched if not direction.is_allowed(point, present)}

    def _harm(self, step: ChangeStep, exposed: set[int]) -> tuple[int, int]:
        direction = self._directions[step.rule.direction]
        present = self._after(step, self._present[step.rule.direction])
        decided = [direction.decide(point, present) for point in exposed]
        return sum(rule is not None and rule.action in _MAY_LOSE for rule in decided), len(exposed)

    def _rules_of(self, step: ChangeStep) -> int:
        direction = self._directions[step.rule.direction]
        return direction.set_of(rule for rule in (step.before, step.after) if rule)

    def _after(self, step: ChangeStep, present: int) -> int:
        direction = self._directions[step.rule.direction]
        if step.before:
            present &= ~direction.set_of([step.before])
        return present | direction.set_of([step.after] if step.after else [])

    def _exposures(self, ordered: Sequence[ChangeStep]) -> dict[int, list[Exposure]]:
        """Return the mail that each step exposes, by the number of the step."""
        present = dict(self._at_first)
        begun: dict[tuple[FlowDirection, int], tuple[int, FlowRule | None]] = {}
        of_step: defaultdict[int, list[Exposure]] = defaultdict(list)
        merged: defaultdict[tuple[int, int, FlowDirection, FlowRule | None, tuple[Pattern, ...]], list[Pattern]]
        merged = defaultdict(list)
        for number, step in enumerate(ordered, 1):
            way = step.rule.direction
            direction = self._directions[way]
            present[way] = self._after(step, present[way])
            for index in sorted(direction.touched(self._rules_of(step))):
                rule = direction.decide(index, present[way])
                is_exposed = not direction.is_allowed(index, present[way])
                first, meanwhile = begun.get((way, index), (0, None))
                if first and not (is_exposed and effect_of(rule) == effect_of(meanwhile)):
                    del begun[way, index]
                    point = direction.points[index]
                    merged[first, number, way, meanwhile, point.destinations] += point.senders
                if is_exposed and (way, index) not in begun:
                    begun[way, index] = number, rule
        for (first, until, way, rule, destinations), senders in merged.items():
            of_step[first].append(
                Exposure(direction=way, senders=tuple(senders), destinations=destinations, rule=rule, until=until)
            )
        return of_step


_MAY_LOSE: Final = (RuleAction.DROP, RuleAction.BOUNCE, RuleAction.RUN_LAMBDA)
"""Worse for mail that neither the old nor the new rules treat so than to be delivered somewhere."""


def _preference(step: ChangeStep) -> tuple[int, int, tuple[int, ...]]:
    kind = list(StepKind).index(step.kind)
    key = creation_key(step.rule)
    in_order = tuple(-part for part in key) if step.kind is StepKind.DELETE else key
    return list(When).index(step.when), kind, in_order


def _mail(rule: FlowRule) -> tuple[object, ...]:
    return rule.direction, frozenset(rule.senders), frozenset(rule.destinations)


def _most_specific(patterns: Iterable[Pattern]) -> int:
    return max(pattern.specificity for pattern in patterns)
