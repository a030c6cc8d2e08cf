"""What the steps have decided for each recipient, and the reply that says so."""

from __future__ import annotations

from workmail_flow.address import address_key
from workmail_flow.limits import MAX_REPLY_ACTIONS
from workmail_flow.record import Record
from workmail_flow.vocabulary import ReplyAction
from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from workmail_runtime.event import SynchronousEvent
    from workmail_runtime.reply import Reply

REST: Final = ""
"""Stands for the recipients that a truncated event leaves out (E6). No condition can be judged for them."""

_FINAL: Final = frozenset({ReplyAction.BOUNCE, ReplyAction.DROP})


class Outcome(Record):
    """What happens for one recipient."""

    action: ReplyAction = ReplyAction.DEFAULT
    bounce_message: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether the recipient does not get the message, whatever later steps say."""
        return self.action in _FINAL


_DELIVERED: Final = Outcome()


class Outcomes:
    """The outcome of each recipient so far. A bounce or drop is final; of other actions the last one counts."""

    def __init__(self, event: SynchronousEvent) -> None:
        self._event = event
        self._addresses = {address_key(address): address for address in event.recipients}
        keys = [*self._addresses, *([REST] if event.truncated else [])]
        self._outcomes: dict[str, Outcome] = dict.fromkeys(keys, _DELIVERED)
        self._copies: dict[str, str] = {}

    @property
    def left(self) -> tuple[str, ...]:
        """The recipients who get the message so far; `REST` among them for a truncated event."""
        return tuple(self._addresses.get(key, REST) for key, each in self._outcomes.items() if not each.is_final)

    def decide(self, outcome: Outcome, recipients: Iterable[str]) -> int:
        """Decide for recipients that are left; return for how many."""
        keys = {address_key(address) if address else REST for address in recipients}
        if unknown := keys - self._outcomes.keys():
            message = f"found {len(unknown)} addresses that are no recipients of the message; decide for those only"
            raise StepError(message)
        keys = {key for key in keys if not self._outcomes[key].is_final}
        self._outcomes.update(dict.fromkeys(keys, outcome))
        return len(keys)

    def copy_to(self, addresses: Iterable[str]) -> None:
        """Send the message to these addresses too, as Bcc (R6)."""
        self._copies |= {address_key(address): address for address in addresses}

    def reply(self) -> Reply:
        """Return the reply; the most frequent outcome is the one for all, so that it stays small (R8)."""
        by_outcome: dict[Outcome, list[str]] = {}
        for key, outcome in self._bounded().items():
            by_outcome.setdefault(outcome, []).append(self._addresses.get(key, REST))
        copies = [address for key, address in self._copies.items() if key not in self._outcomes]
        for_all = next((each for each, addresses in by_outcome.items() if REST in addresses), None)
        # A copy needs an action of its own (R4), which must not be the one for all.
        for_all = for_all or max(by_outcome, key=lambda each: len(by_outcome[each]), default=_DELIVERED)
        reply: Any = self._event.reply
        for outcome, addresses in by_outcome.items():
            if outcome != for_all:
                reply = _add(reply, outcome, addresses)
        reply = _add(reply, for_all, None)
        whole: Reply = reply.add_bcc(copies) if copies else reply
        return whole

    def _bounded(self) -> dict[str, Outcome]:
        """Return the outcomes with at most as many different ones as a reply may have (R7)."""
        unique = list(dict.fromkeys(self._outcomes.values()))
        allowed = MAX_REPLY_ACTIONS - 1  # a copy may need one more
        bounces = [each for each in unique if each.action is ReplyAction.BOUNCE]
        spare = bounces[max(0, allowed - (len(unique) - len(bounces))) :]
        return {key: bounces[0] if each in spare else each for key, each in self._outcomes.items()}


def _add(reply: Any, outcome: Outcome, addresses: list[str] | None) -> Any:
    method = getattr(reply, outcome.action.lower() + ("_for_all" if addresses is None else ""))
    named = {} if outcome.bounce_message is None else {"message": outcome.bounce_message}
    return method(**named) if addresses is None else method(addresses, **named)
