"""Arguments of steps that are addresses, and no patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_constructs.stack_record import is_known
from workmail_constructs.steps.step import patterns
from workmail_flow.address import domain_key
from workmail_flow.patterns import PatternKind
from workmail_flow.vocabulary import FlowDirection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_constructs.steps.binding import StepBinding


def address_problems(addresses: Sequence[str], *, argument: str) -> Iterator[str]:
    """Yield a problem for each of these that is a pattern for more than one address. The list may be empty.

    Raises:
        ValueError: One is neither an address nor a pattern.
        TypeError: One string is given for a list.
    """
    for index, pattern in enumerate(patterns(addresses, argument=argument) if addresses else ()):
        if pattern.kind is not PatternKind.ADDRESS:
            yield f"{argument}[{index}]: found {addresses[index]!r}; give one address, such as all@example.com"


def require_own_copies(addresses: Sequence[str], binding: StepBinding, *, argument: str) -> None:
    """Refuse copies of inbound mail to other addresses than the organization's, as far as its domains are known (R6).

    Raises:
        ValueError: An address is of another domain.
    """
    domains = binding.organization.domains
    if binding.direction is not FlowDirection.INBOUND or not domains or not all(map(is_known, domains)):
        return
    own = {domain_key(each) for each in domains}
    if strangers := [each for each in addresses if domain_key(each.rpartition("@")[2]) not in own]:
        raise ValueError(
            f"{argument}: found {', '.join(strangers)} with an inbound rule, whose copies go to the organization's own "
            f"addresses only (R6); give an address of {', '.join(sorted(own))}, or direction='OUTBOUND'"
        )
