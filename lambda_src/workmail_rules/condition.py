"""Whose mail a step is for."""

from __future__ import annotations

from workmail_rules.outcomes import REST
from workmail_rules.pattern_set import PatternSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from workmail_runtime.event import Event


class Condition:
    """The senders and recipients a step is for, as the configuration holds them.

    Args:
        senders: Patterns of senders, by `PatternSet`'s arguments; None for all.
        internal: Domains, by which an address is internal; with `is_internal` and `to_internal`.
        is_internal: Whether the sender has to be internal or external; None for both.
        recipients: Patterns of recipients; None for all.
        to_internal: Whether recipients have to be internal or external; None for both.
    """

    def __init__(
        self,
        *,
        senders: Mapping[str, Any] | None = None,
        internal: Mapping[str, Any] | None = None,
        is_internal: bool | None = None,
        recipients: Mapping[str, Any] | None = None,
        to_internal: bool | None = None,
    ) -> None:
        self._senders = None if senders is None else PatternSet(**senders)
        self._internal = PatternSet(**(internal or {}))
        self._is_internal = is_internal
        self._recipients = None if recipients is None else PatternSet(**recipients)
        self._to_internal = to_internal

    def is_for_sender(self, event: Event) -> bool:
        """Whether the step is for mail of the event's sender: of `mailFrom`, or of who sent on its behalf (E3)."""
        senders = [event.mail_from, *([event.sender] if event.sender else [])]
        if self._senders is not None and not any(address in self._senders for address in senders):
            return False
        # On behalf or not, the message is internal only if everybody who claims to send it is.
        return self._is_internal in (None, all(address in self._internal for address in senders))

    def recipients(self, left: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the recipients that the step is for; `REST` only without a condition on recipients (E6)."""
        if self._recipients is None and self._to_internal is None:
            return left
        return tuple(address for address in left if address != REST and self._is_for_recipient(address))

    def _is_for_recipient(self, address: str) -> bool:
        if self._recipients is not None and address not in self._recipients:
            return False
        return self._to_internal in (None, address in self._internal)
