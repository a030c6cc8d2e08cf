"""What the steps have decided for each recipient, and the reply that says so."""

from __future__ import annotations

from workmail_flow.address import address_key, address_problem
from workmail_flow.bounce_text import bounce_text_problem
from workmail_flow.limits import MAX_OUTBOUND_REPLY_RECIPIENTS, MAX_REPLY_ACTIONS
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

    def checkpoint(self) -> tuple[dict[str, Outcome], dict[str, str]]:
        """Return what to give to `roll_back`."""
        return dict(self._outcomes), dict(self._copies)

    def roll_back(self, checkpoint: tuple[dict[str, Outcome], dict[str, str]]) -> None:
        """Forget what was decided since the checkpoint was taken."""
        self._outcomes, self._copies = checkpoint

    @property
    def reach_somebody(self) -> bool:
        """Whether anybody gets the message so far: a recipient, or an added one (R6)."""
        return bool(self.left or self._added)

    @property
    def left(self) -> tuple[str, ...]:
        """The recipients who get the message so far; `REST` among them for a truncated event."""
        return tuple(self._addresses.get(key, REST) for key, each in self._outcomes.items() if not each.is_final)

    def decide(self, outcome: Outcome, recipients: Iterable[str]) -> int:
        """Decide for recipients that are left; return for how many.

        Raises:
            StepError: A reply cannot hold this outcome, or an address is not a recipient of the message.
        """
        if outcome.action is not ReplyAction.BOUNCE and outcome.bounce_message is not None:
            message = f"{outcome.action}: found a text; only a bounce has one (R3)"
            raise StepError(message)
        if outcome.action is ReplyAction.BOUNCE and (problem := bounce_text_problem(outcome.bounce_message)):
            message = f"{outcome.action}: {problem}"
            raise StepError(message)
        keys = {address_key(address) if address else REST for address in recipients}
        if unknown := keys - self._outcomes.keys():
            message = f"found {len(unknown)} addresses that are no recipients of the message; decide for those only"
            raise StepError(message)
        keys = {key for key in keys if not self._outcomes[key].is_final}
        self._outcomes.update(dict.fromkeys(keys, outcome))
        return len(keys)

    def copy_to(self, addresses: Iterable[str]) -> None:
        """Send the message to these addresses too, as Bcc (R6).

        Raises:
            StepError: One of them is no address, or there are too many (R9).
        """
        copies = {address_key(address): address for address in addresses}
        if problem := next(filter(None, map(address_problem, copies.values())), None):
            message = f"copy: found what is no address, for {problem}"
            raise StepError(message)
        total = len(self._addresses | self._copies | copies)
        if total > MAX_OUTBOUND_REPLY_RECIPIENTS:
            message = f"copy: found {total} recipients with it; {MAX_OUTBOUND_REPLY_RECIPIENTS} are allowed (R9)"
            raise StepError(message)
        self._copies |= copies

    @property
    def _added(self) -> list[str]:
        return [address for key, address in self._copies.items() if key not in self._outcomes]

    def reply(self) -> Reply:
        """Return the reply; the most frequent outcome is the one for all, so that it stays small (R8).

        Raises:
            ReplyError: Recipients with different outcomes have addresses that a reply cannot name.
        """
        by_outcome: dict[Outcome, list[str]] = {}
        for key, outcome in self._bounded().items():
            by_outcome.setdefault(outcome, []).append(self._addresses.get(key, REST))
        copies = self._added
        # Whoever cannot be named can only be among all: the rest of a truncated event, and odd addresses.
        for_all = next((each for each, addresses in by_outcome.items() if any(map(address_problem, addresses))), None)
        for_all = for_all or max(by_outcome, key=lambda each: len(by_outcome[each]), default=_DELIVERED)
        reply: Any = self._event.reply
        for outcome, addresses in by_outcome.items():
            if outcome != for_all:
                reply = _add(reply, outcome, addresses)
        reply = _add(reply, for_all, None)
        whole: Reply = reply.add_bcc(copies) if copies else reply
        return whole

    def _bounded(self) -> dict[str, Outcome]:
        """Return the outcomes with at most as many different ones as a reply may have (R7).

        Only bounces can be that many, for they differ by their text: those past the limit get the first one's.
        """
        unique = list(dict.fromkeys(self._outcomes.values()))
        allowed = MAX_REPLY_ACTIONS - 1  # a copy may need one more
        bounces = [each for each in unique if each.action is ReplyAction.BOUNCE]
        spare = bounces[max(0, allowed - (len(unique) - len(bounces))) :]
        return {key: bounces[0] if each in spare else each for key, each in self._outcomes.items()}


def _add(reply: Any, outcome: Outcome, addresses: list[str] | None) -> Any:
    method = getattr(reply, outcome.action.lower() + ("_for_all" if addresses is None else ""))
    named = {} if outcome.bounce_message is None else {"message": outcome.bounce_message}
    return method(**named) if addresses is None else method(addresses, **named)
