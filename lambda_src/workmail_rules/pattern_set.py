"""Many patterns (F4) at once: an address is looked up, not compared with each."""

from __future__ import annotations

from workmail_flow.address import address_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class PatternSet:
    """Patterns as the configuration holds them: checked at synth, and sorted by form into comparable keys.

    Args:
        addresses: Address keys.
        domains: Domain keys, each for all addresses of exactly that domain.
        wildcards: Domain keys, each for the domain and all its subdomains.
        anybody: Whether `*` is among the patterns.
    """

    def __init__(
        self,
        *,
        addresses: Iterable[str] = (),
        domains: Iterable[str] = (),
        wildcards: Iterable[str] = (),
        anybody: bool = False,
    ) -> None:
        self._addresses = frozenset(addresses)
        self._domains = frozenset(domains)
        self._wildcards = frozenset(wildcards)
        self._anybody = anybody

    def __contains__(self, address: str) -> bool:
        """Whether any pattern matches the address. Only `*` matches text without `@`, such as the null sender."""
        if self._anybody:
            return True
        key = address_key(address)
        _, at, domain = key.rpartition("@")
        if not at:
            return False
        if key in self._addresses or domain in self._domains:
            return True
        while self._wildcards and domain:
            if domain in self._wildcards:
                return True
            domain = domain.partition(".")[2]
        return False
