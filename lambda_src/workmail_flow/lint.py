"""What is wrong, risky or unsettled in a rule set; each finding says what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final

from workmail_flow import limits
from workmail_flow.arns import is_function_arn, is_known_arn
from workmail_flow.overlaps import Overlaps, overlap
from workmail_flow.patterns import Pattern, PatternKind
from workmail_flow.rule_index import RuleIndex, places
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from workmail_flow.flow_rule import FlowRule

QUOTA_NEAR: Final = 0.8
"""The part of a hard quota (F6) from which its use is reported, so that there is time to split or merge rules."""

MAX_NAMED: Final = 10
"""How many other rules one finding names; it counts the rest."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """WorkMail would refuse it, or a rule does nothing."""
    WARNING = "warning"
    """Mail may be treated differently than meant."""
    INFO = "info"
    """Good to know."""


class LintCode(StrEnum):
    """Each kind of finding."""

    DUPLICATE_NAME = "duplicate-name"
    """Two rules of one name (F1)."""
    NEVER_DECIDES = "never-decides"
    """A rule that loses to another for everyone it matches (F9, F10)."""
    OVERLAPS_DROP = "overlaps-drop"
    """A Drop rule and a rule of another action match the same mail."""
    OVERLAPS_BOUNCE = "overlaps-bounce"
    """A Bounce rule and a rule of another action, Drop aside, match the same mail."""
    UNSETTLED_PRECEDENCE = "unsettled-precedence"
    """Which of two rules decides depends on an assumption (F9, F10)."""
    RULE_QUOTA = "rule-quota"
    """A rule nears its quota of sender patterns (F6)."""
    ORGANIZATION_QUOTA = "organization-quota"
    """The rules near or pass the organization's quota of sender patterns (F6)."""
    DOMAIN_QUOTA = "domain-quota"
    """The organization nears or passes its quota of domains (F6)."""
    REPEATED_PATTERN = "repeated-pattern"
    """A rule has one pattern twice, if only in another spelling (F6)."""
    BROAD_BYPASS = "broad-bypass"
    """Mail from anyone, or from a whole top-level domain, bypasses the spam check (F2)."""
    NO_RETRY = "no-retry"
    """Rule timeout 0 on a rule whose function fetches content, a call that can fail for a moment (T3)."""
    FUNCTION_UNKNOWN = "function-unknown"
    """A Run Lambda rule that names no function yet (F13)."""
    FUNCTION_ARN = "function-arn"
    """An ARN that is not of a function in a Region of WorkMail (L1, L2, F13)."""
    UNUSED_ACKNOWLEDGEMENT = "unused-acknowledgement"
    """A rule acknowledges a finding that is not made."""


NOT_ACKNOWLEDGEABLE: Final = frozenset(
    {LintCode.DUPLICATE_NAME, LintCode.FUNCTION_ARN, LintCode.UNUSED_ACKNOWLEDGEMENT}
)
"""What no reason makes acceptable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A pair of addresses that shows a finding: ask `RuleSet.decide` about it."""

    direction: FlowDirection
    sender: str
    recipient: str

    def __str__(self) -> str:
        return f"{self.direction.lower()} mail from {self.sender} to {self.recipient}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One finding.

    Args:
        code: Its kind, by which a rule acknowledges it.
        severity: How much it matters.
        rules: The names of the rules it concerns, the rule to change first; none if it concerns the set.
        message: What was found.
        remedy: What to do about it.
        witness: A pair of addresses that shows it, where rules overlap.
        acknowledged: The reason to accept it, as one of its rules gives it; None if no rule does.
    """

    code: LintCode
    severity: Severity
    rules: tuple[str, ...]
    message: str
    remedy: str
    witness: Witness | None = None
    acknowledged: str | None = None


def lint(rule_set: RuleSet, *, organization_domains: Collection[str] = ()) -> tuple[LintFinding, ...]:
    """Return the findings about a rule set, the most severe first.

    The time it takes grows with the number of patterns, not of their pairs. Of rules that share a name only the first
    is looked at further: findings about the others would read the same.

    Args:
        rule_set: All the rules of one organization.
        organization_domains: The organization's domains, if known, for their quota.
    """
    by_name = {rule.name: rule for rule in reversed(rule_set.rules)}
    told_apart = RuleSet(rule for rule in rule_set if by_name[rule.name] is rule)
    found = [
        *_of_names(rule_set),
        *_of_quotas(rule_set, organization_domains),
        *(finding for rule in told_apart for finding in _of_one_rule(rule)),
        *(finding for direction in FlowDirection for finding in _OfDirection(told_apart, direction).findings()),
    ]
    found = [_acknowledged(finding, told_apart) for finding in found]
    found += _unused_acknowledgements(told_apart, found)
    return tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity)))


def _acknowledged(finding: LintFinding, rule_set: RuleSet) -> LintFinding:
    """Mark a finding as accepted if its first rule acknowledges it, or if all its other rules do."""
    if finding.code in NOT_ACKNOWLEDGEABLE or not finding.rules:
        return finding
    reasons = {rule.name: rule.acknowledged[finding.code] for rule in rule_set if finding.code in rule.acknowledged}
    first, *others = finding.rules
    if first in reasons:
        return replace(finding, acknowledged=reasons[first])
    if others and all(name in reasons for name in others):
        return replace(finding, acknowledged=reasons[others[0]])
    return finding


def _unused_acknowledgements(rule_set: RuleSet, found: Iterable[LintFinding]) -> Iterator[LintFinding]:
    used = {(name, finding.code) for finding in found for name in finding.rules}
    for rule in rule_set:
        for code in rule.acknowledged:
            if code not in set(LintCode) - NOT_ACKNOWLEDGEABLE:
                what = f"{code!r}, which is not the code of a finding that can be acknowledged"
            elif (rule.name, code) not in used:
                what = f"{code!r}, but has no such finding"
            else:
                continue
            yield LintFinding(
                code=LintCode.UNUSED_ACKNOWLEDGEMENT,
                severity=Severity.WARNING,
                rules=(rule.name,),
                message=f"Rule {rule.name!r} acknowledges {what}.",
                remedy="Remove the acknowledgement: it would hide a later finding.",
            )


# Findings of names, quotas and single rules


def _of_names(rule_set: RuleSet) -> Iterator[LintFinding]:
    for name, count in Counter(rule.name for rule in rule_set).items():
        if count > 1:
            yield LintFinding(
                code=LintCode.DUPLICATE_NAME,
                severity=Severity.ERROR,
                rules=(name,),
                message=f"{count} rules have the name {name!r}; a name is unique in an organization (F1).",
                remedy="Give each its own name, in an app with the argument name; until then only one is checked.",
            )


def _of_quotas(rule_set: RuleSet, organization_domains: Collection[str]) -> Iterator[LintFinding]:
    for rule in rule_set:
        yield from _of_quota(
            LintCode.RULE_QUOTA,
            len(rule.senders),
            limits.MAX_SENDER_PATTERNS_PER_RULE,
            f"Rule {rule.name!r} has {{}} of the {{}} sender patterns that a rule may have (F6).",
            "Split the rule, or write domains in place of addresses.",
            (rule.name,),
        )
    yield from _of_quota(
        LintCode.ORGANIZATION_QUOTA,
        sum(len(rule.senders) for rule in rule_set),
        limits.MAX_SENDER_PATTERNS_PER_ORGANIZATION,
        "The rules have {} of the {} sender patterns that an organization may have (F6).",
        "Write domains in place of addresses, or let one function decide for many senders.",
    )
    yield from _of_quota(
        LintCode.DOMAIN_QUOTA,
        len(organization_domains),
        limits.MAX_DOMAINS_PER_ORGANIZATION,
        "The organization has {} of the {} domains that it may have (F6).",
        "Remove domains that are not used, or move some to another organization.",
    )


def _of_quota(
    code: LintCode, used: int, quota: int, message: str, remedy: str, rules: tuple[str, ...] = ()
) -> Iterator[LintFinding]:
    if used >= quota * QUOTA_NEAR:
        yield LintFinding(
            code=code,
            severity=Severity.ERROR if used > quota else Severity.WARNING,
            rules=rules,
            message=message.format(f"{used:,}", f"{quota:,}"),
            remedy=remedy,
        )


def _of_one_rule(rule: FlowRule) -> Iterator[LintFinding]:
    def finding(code: LintCode, severity: Severity, message: str, remedy: str) -> LintFinding:
        return LintFinding(
            code=code, severity=severity, rules=(rule.name,), message=f"Rule {rule.name!r} {message}", remedy=remedy
        )

    for side, patterns in (("sender", rule.senders), ("destination", rule.destinations)):
        repeated = [pattern.text for pattern, count in Counter(patterns).items() if count > 1]
        if repeated:
            yield finding(
                LintCode.REPEATED_PATTERN,
                Severity.INFO,
                f"has the {side} pattern {_named(repeated)} more than once, if only in another spelling.",
                "Remove the repetitions; each counts towards the quotas (F6).",
            )
    if rule.action is RuleAction.BYPASS_SPAM_CHECK:
        broad = [pattern.text for pattern in rule.senders if _is_broad(pattern)]
        if broad:
            yield finding(
                LintCode.BROAD_BYPASS,
                Severity.WARNING,
                f"lets mail from {_named(broad)} bypass the spam check (F2): anyone can write such a sender.",
                "Name the domains or addresses that are trusted.",
            )
    if rule.action is RuleAction.RUN_LAMBDA:
        yield from _of_function(rule, finding)


def _of_function(
    rule: FlowRule, finding: Callable[[LintCode, Severity, str, str], LintFinding]
) -> Iterator[LintFinding]:
    if rule.rule_timeout_minutes == 0 and rule.reads_content:
        yield finding(
            LintCode.NO_RETRY,
            Severity.WARNING,
            "has rule timeout 0 and its function fetches message content: after one failed call the fallback action "
            f"{rule.fallback} is taken (T3).",
            "Give it a rule timeout of some minutes, so that the invocation is retried (T2).",
        )
    if rule.function is None:
        yield finding(
            LintCode.FUNCTION_UNKNOWN,
            Severity.WARNING,
            "names no function (F13).",
            "Deploy the function and enter its ARN.",
        )
    elif is_known_arn(rule.function) and not is_function_arn(rule.function):
        yield finding(
            LintCode.FUNCTION_ARN,
            Severity.ERROR,
            f"runs {rule.function}, which is not a function that WorkMail can reach (L1, L2).",
            "Enter arn:aws:lambda:REGION:ACCOUNT:function:NAME, of the organization's account and Region, one of "
            f"{', '.join(limits.WORKMAIL_REGIONS)}.",
        )


def _is_broad(pattern: Pattern) -> bool:
    return pattern.kind is PatternKind.ANY or (pattern.kind is PatternKind.WILDCARD_DOMAIN and "." not in pattern.key)


# Findings of rules together


class _OfDirection:
    """Finds what rules of one direction do together. A set of rules is an int, as in `PatternIndex`."""

    def __init__(self, rule_set: RuleSet, direction: FlowDirection) -> None:
        self._rule_set = rule_set
        self._direction = direction
        index: RuleIndex = rule_set.index(direction)
        self._rules: Sequence[FlowRule] = index.rules
        self._senders = Overlaps(index.senders)
        self._destinations = Overlaps(index.destinations)
        self._of_action: defaultdict[RuleAction, int] = defaultdict(int)
        self._of_effect: defaultdict[object, int] = defaultdict(int)
        for place, rule in enumerate(self._rules):
            self._of_action[rule.action] |= 1 << place
            self._of_effect[rule.effect] |= 1 << place
        self._exceptions = self._find_exceptions()
        self._never_decides = 0

    def findings(self) -> Iterator[LintFinding]:
        for place, rule in enumerate(self._rules):
            yield from self._never(place, rule)
        for place, rule in enumerate(self._rules):
            if rule.action in (RuleAction.DROP, RuleAction.BOUNCE):
                yield from self._overlaps(place, rule)
            yield from self._unsettled(place, rule)

    def _never(self, place: int, rule: FlowRule) -> Iterator[LintFinding]:
        """Find a rule that has, for each pair of its patterns, a rule with the same pair that comes before it.

        Only such rules can stop it from deciding: for every pair there are addresses that no narrower pattern matches,
        and wider patterns are less specific (F9).
        """
        before = (1 << place) - 1
        of_senders = {self._senders.equal(pattern) & before for pattern in rule.senders}
        of_destinations = {self._destinations.equal(pattern) & before for pattern in rule.destinations}
        blockers = 0
        for senders in of_senders:
            for destinations in of_destinations:
                if not (both := senders & destinations):
                    return
                blockers |= both & -both
        self._never_decides |= 1 << place
        names = [self._rules[blocker].name for blocker in places(blockers)]
        yield LintFinding(
            code=LintCode.NEVER_DECIDES,
            # Not an error: which of two equal rules loses depends on how we read F10, and the loser does no harm.
            severity=Severity.WARNING,
            rules=(rule.name, *names),
            message=f"Rule {rule.name!r} never decides: {_named(names)}, of equal patterns, comes before it (F10).",
            remedy="Remove the rule, or make one of its patterns more specific.",
            witness=self._witness(rule.senders[0], rule.destinations[0]),
        )

    def _find_exceptions(self) -> dict[int, int]:
        """Return, for each Drop or Bounce rule, the Default rules that lie within it: its exceptions (F11)."""
        closed = self._of_action[RuleAction.DROP] | self._of_action[RuleAction.BOUNCE]
        exceptions: defaultdict[int, int] = defaultdict(int)
        for place in places(self._of_action[RuleAction.DEFAULT] if closed else 0):
            within = closed
            for pattern in self._rules[place].senders:
                within &= self._senders.equal(pattern) | self._senders.around(pattern)
            for pattern in self._rules[place].destinations:
                within &= self._destinations.equal(pattern) | self._destinations.around(pattern)
            for outer in places(within & ~(1 << place)):
                exceptions[outer] |= 1 << place
        return exceptions

    def _overlaps(self, place: int, rule: FlowRule) -> Iterator[LintFinding]:
        touching = self._touching(self._senders, rule.senders) & self._touching(self._destinations, rule.destinations)
        others = touching & ~self._of_action[rule.action]
        if rule.action is RuleAction.BOUNCE:
            others &= ~self._of_action[RuleAction.DROP]  # reported with the Drop rule
        exceptions = others & self._exceptions.get(place, 0) & ~self._never_decides
        if others & ~exceptions:
            yield self._overlap(
                rule,
                others & ~exceptions,
                Severity.WARNING,
                "Make sure that the right one decides; write an exception as a Default rule with more specific "
                "patterns (F11), or acknowledge the overlap with a reason.",
            )
        if exceptions:
            yield self._overlap(rule, exceptions, Severity.INFO, "Nothing, if these exceptions are meant (F11).")

    def _overlap(self, rule: FlowRule, others: int, severity: Severity, remedy: str) -> LintFinding:
        names = [self._rules[other].name for other in places(others)]
        witness = self._common_witness(rule, self._rules[next(places(others))])
        return LintFinding(
            code=LintCode.OVERLAPS_DROP if rule.action is RuleAction.DROP else LintCode.OVERLAPS_BOUNCE,
            severity=severity,
            rules=(rule.name, *names),
            message=f"The {rule.action} rule {rule.name!r} matches mail that {_named(names)} "
            f"{'matches' if len(names) == 1 else 'match'} too: {self._told(witness)}.",
            remedy=remedy,
            witness=witness,
        )

    def _touching(self, overlaps: Overlaps, patterns: Iterable[Pattern]) -> int:
        rules = 0
        for pattern in patterns:
            rules |= overlaps.touching(pattern)
        return rules

    def _unsettled(self, place: int, rule: FlowRule) -> Iterator[LintFinding]:
        """Find rules of a different effect where only an assumption says which one decides."""
        wider_senders = narrower_destinations = same_senders = same_destinations = 0
        for pattern in rule.senders:
            wider_senders |= self._senders.around(pattern)
            same_senders |= self._senders.equal(pattern)
        for pattern in rule.destinations:
            narrower_destinations |= self._destinations.inside(pattern)
            same_destinations |= self._destinations.equal(pattern)
        different = ~self._of_effect[rule.effect]
        crossing = wider_senders & narrower_destinations & different
        yield from self._unsettled_with(
            rule,
            crossing,
            self._crossing_witness,
            "has the more specific sender pattern and {other} the more specific destination pattern, and no source "
            "says which counts more (F9)",
        )
        equal = same_senders & same_destinations & different & ~((2 << place) - 1)
        if rule.action is not RuleAction.DEFAULT and self._direction is FlowDirection.OUTBOUND:
            yield from self._unsettled_with(
                rule,
                equal & self._of_action[RuleAction.DEFAULT],
                self._common_witness,
                "is as specific as the Default rule {other}, and whether that restricts less is open (F10)",
            )
        yield from self._unsettled_with(
            rule,
            equal & self._of_action[rule.action] & ~self._never_decides,
            self._common_witness,
            "is as specific and as restrictive as {other}, and no source says which comes first (F10)",
        )

    def _unsettled_with(
        self, rule: FlowRule, others: int, witness_of: Callable[[FlowRule, FlowRule], Witness], message: str
    ) -> Iterator[LintFinding]:
        # The first few are enough to show it, and looking at all pairs would take quadratic time.
        for other in islice((self._rules[place] for place in places(others)), MAX_NAMED):
            witness = witness_of(rule, other)
            decided = self._decide(witness)
            if decided is rule or decided is other:
                yield LintFinding(
                    code=LintCode.UNSETTLED_PRECEDENCE,
                    severity=Severity.WARNING,
                    rules=(rule.name, other.name),
                    message=f"Rule {rule.name!r} {message.format(other=repr(other.name))}: {self._told(witness)}, "
                    "as this project assumes.",
                    remedy="Write a rule for just the mail that both match: it is more specific than either.",
                    witness=witness,
                )

    def _common_witness(self, one: FlowRule, other: FlowRule) -> Witness:
        """Return a pair of addresses that two overlapping rules both match."""
        return self._witness(
            _first_overlap(one.senders, other.senders), _first_overlap(one.destinations, other.destinations)
        )

    def _crossing_witness(self, rule: FlowRule, other: FlowRule) -> Witness:
        """Return a pair for which `rule` has the more specific sender pattern and `other` the destination pattern."""
        return self._witness(
            next(pattern for pattern in rule.senders if _is_inside_one_of(pattern, other.senders)),
            next(pattern for pattern in other.destinations if _is_inside_one_of(pattern, rule.destinations)),
        )

    def _witness(self, sender: Pattern, destination: Pattern) -> Witness:
        return Witness(
            direction=self._direction,
            sender=self._senders.typical_address(sender),
            recipient=self._destinations.typical_address(destination),
        )

    def _decide(self, witness: Witness) -> FlowRule | None:
        return self._rule_set.decide(
            direction=witness.direction, sender=None, from_=witness.sender, recipient=witness.recipient
        ).rule

    def _told(self, witness: Witness) -> str:
        rule = self._decide(witness)
        return f"for {witness} rule {rule.name!r} decides, {rule.action}" if rule else f"for example {witness}"


def _first_overlap(some: Iterable[Pattern], others: Iterable[Pattern]) -> Pattern:
    return next(both for one in some for other in others if (both := overlap(one, other)))


def _is_inside_one_of(pattern: Pattern, others: Iterable[Pattern]) -> bool:
    return any(pattern != other and overlap(pattern, other) == pattern for other in others)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
