"""The addresses to type into the console's Test, one inside and one outside the organization (F14)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING, Final

from workmail_flow.address import domain_key
from workmail_flow.overlaps import Overlaps
from workmail_flow.patterns import Pattern, PatternKind
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.rule_set import RuleSet

PLACEHOLDER_DOMAIN: Final = "your-domain.example"
"""Stands for a domain of an organization whose domains are not known."""

OUTSIDE_DOMAINS: Final = ("example.net", "example.org", "example.com")
"""Domains that belong to nobody (RFC 2606), for senders and recipients outside of the organization."""

MAX_TRIED: Final = 20
"""How many addresses are tried on each side before one is given for which another rule decides."""

_MAILBOXES: Final = ("someone", "somebody")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleTest:
    """What to type into the console's Test of a rule, and what it is to show.

    Args:
        sender: A full address.
        recipient: A full address.
        decides: The rule that decides for them; None if none matches.
        action: The action that the Test shows.
    """

    sender: str
    recipient: str
    decides: FlowRule | None
    action: RuleAction

    @property
    def has_placeholder(self) -> bool:
        """Whether an address has `PLACEHOLDER_DOMAIN`."""
        return any(address.endswith(f"@{PLACEHOLDER_DOMAIN}") for address in (self.sender, self.recipient))


def console_test(rule_set: RuleSet, rule: FlowRule, domains: Sequence[str]) -> ConsoleTest:
    """Return addresses for which `rule` decides, or if another rule decides for all its mail, that one.

    Args:
        rule_set: All the rules of the organization.
        rule: One of them.
        domains: The organization's domains; a `${…}` among them is passed over.
    """
    own = [domain for domain in domains if "${" not in domain]
    is_inbound = rule.direction is FlowDirection.INBOUND
    index = rule_set.index(rule.direction)
    senders = _addresses(rule.senders, Overlaps(index.senders), own, inside=not is_inbound)
    recipients = _addresses(rule.destinations, Overlaps(index.destinations), own, inside=is_inbound)
    # A pair with both addresses on their right sides comes first.
    pairs = sorted(product(senders, recipients), key=lambda pair: pair[0][0] + pair[1][0])
    tests = (_asked(rule_set, rule, sender, recipient) for (_, sender), (_, recipient) in pairs)
    first = next(tests)
    return first if first.decides is rule else next((test for test in tests if test.decides is rule), first)


def _asked(rule_set: RuleSet, rule: FlowRule, sender: str, recipient: str) -> ConsoleTest:
    decision = rule_set.decide(direction=rule.direction, sender=None, from_=sender, recipient=recipient)
    return ConsoleTest(sender=sender, recipient=recipient, decides=decision.rule, action=decision.action)


def _addresses(
    patterns: Sequence[Pattern], overlaps: Overlaps, own: list[str], *, inside: bool
) -> list[tuple[bool, str]]:
    """Return addresses that the patterns match, each with whether it is on the wrong side of the organization."""
    domains = {domain_key(domain) for domain in own}

    def is_wrong(address: str) -> bool:
        return bool(domains) and (domain_key(address.rpartition("@")[2]) in domains) is not inside

    found = dict.fromkeys(islice(_candidates(patterns, overlaps, own, inside=inside), MAX_TRIED))
    return [(is_wrong(address), address) for address in found]


def _candidates(patterns: Sequence[Pattern], overlaps: Overlaps, own: list[str], *, inside: bool) -> Iterator[str]:
    taken = {domain_key(domain) for domain in own}
    choices = (own or [PLACEHOLDER_DOMAIN]) if inside else [each for each in OUTSIDE_DOMAINS if each not in taken]
    for pattern in patterns:
        if pattern.kind in (PatternKind.WILDCARD_DOMAIN, PatternKind.ANY):
            addresses = (f"{mailbox}@{domain}" for domain in choices for mailbox in _MAILBOXES)
            yield from islice(filter(pattern.matches, addresses), MAX_TRIED // 2)
        # The narrowest address that the pattern alone matches, wherever it is.
        yield overlaps.typical_address(pattern)
