"""The reply of a synchronous function, built so that it cannot be malformed (R1-R9)."""

from __future__ import annotations

from workmail_flow.address import address_key, address_problem
from workmail_flow.assumptions import CONFLICTING_ACTIONS_FAIL, unique_action
from workmail_flow.limits import MAX_OUTBOUND_REPLY_RECIPIENTS, MAX_REPLY_ACTIONS
from workmail_flow.record import Record
from workmail_flow.vocabulary import REPLY_ACTIONS, FlowDirection, ReplyAction
from workmail_runtime.errors import DirectionError, ReplyError

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, ClassVar, Self


class _Entry(Record):
    """One unique action of a reply and whom it is for; the named recipients by their address key."""

    action: ReplyAction
    bounce_message: str | None = None
    recipients: dict[str, str] = {}  # noqa: RUF012 - never changed, only replaced
    all_recipients: bool = False

    def to_dict(self) -> dict[str, Any]:
        action: dict[str, Any] = {"type": self.action.value}
        if self.bounce_message is not None:
            action["parameters"] = {"bounceMessage": self.bounce_message}
        entry: dict[str, Any] = {"action": action}
        if self.recipients:
            entry["recipients"] = list(self.recipients.values())
        if self.all_recipients:
            entry["allRecipients"] = True
        return entry


class Reply(Record):
    """Actions that both directions have: drop, bounce, default. Frozen: each method returns a new, longer reply.

    Start from `event.reply`, which knows the message's recipients and refuses others; a bare `Reply()` does not.
    `…_for_all` takes every recipient that no other action names (R4). All others get the rule's fallback action (R5).
    Printing a reply shows actions and counts, never an address or a bounce message.

    Every method raises `ReplyError` for a reply that WorkMail would refuse: text that is not an address, or not one of
    the message; two actions for one recipient (R11); an eleventh action (R7); too many outbound recipients (R9).
    """

    direction: FlowDirection | None = None
    known: frozenset[str] | None = None
    entries: tuple[_Entry, ...] = ()

    offered: ClassVar[tuple[ReplyAction, ...]] = REPLY_ACTIONS[FlowDirection.OUTBOUND]

    @classmethod
    def to(cls, recipients: Iterable[str], *, direction: FlowDirection | None, truncated: bool) -> Self:
        """Return an empty reply to an event. A truncated one lacks recipients (E6), so its reply takes any address."""
        return cls(direction=direction, known=None if truncated else frozenset(map(address_key, recipients)))

    def drop(self, recipients: str | Iterable[str]) -> Self:
        """Delete the message for these recipients, without notice to anybody."""
        return self._add(ReplyAction.DROP, recipients)

    def drop_for_all(self) -> Self:
        """Delete the message for every recipient that no other action names."""
        return self._add(ReplyAction.DROP)

    def bounce(self, recipients: str | Iterable[str], *, message: str) -> Self:
        """Refuse the message for these recipients; the sender gets `message` (R3)."""
        return self._add(ReplyAction.BOUNCE, recipients, message)

    def bounce_for_all(self, *, message: str) -> Self:
        """Refuse the message for every recipient that no other action names; the sender gets `message` (R3)."""
        return self._add(ReplyAction.BOUNCE, bounce_message=message)

    def default(self, recipients: str | Iterable[str]) -> Self:
        """Deliver the message as usual to these recipients."""
        return self._add(ReplyAction.DEFAULT, recipients)

    def default_for_all(self) -> Self:
        """Deliver the message as usual to every recipient that no other action names."""
        return self._add(ReplyAction.DEFAULT)

    def add_bcc(self, recipients: str | Iterable[str]) -> Self:
        """Send the message to these addresses too, as Bcc; inbound, only addresses of the organization (R6)."""
        return self._add(ReplyAction.DEFAULT, recipients, adding=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the reply in the service's form (R1)."""
        return {"actions": [entry.to_dict() for entry in self.entries]}

    def _add(
        self,
        action: ReplyAction,
        recipients: str | Iterable[str] | None = None,
        bounce_message: str | None = None,
        *,
        adding: bool = False,
    ) -> Self:
        """Return this reply with one more action; without `recipients` it is for all."""
        if action is ReplyAction.BOUNCE:
            _check_bounce_message(bounce_message)
        named = {} if recipients is None else self._read(action, recipients, adding=adding)
        if recipients is not None and not named:
            return self
        effect = unique_action(action, bounce_message)
        entries = {unique_action(entry.action, entry.bounce_message): entry for entry in self.entries}
        self._check_conflicts(entries, effect, named, all_recipients=recipients is None)
        before = entries.get(effect, _Entry(action, bounce_message))
        entries[effect] = _Entry(
            action, bounce_message, {**named, **before.recipients}, before.all_recipients or recipients is None
        )
        if len(entries) > MAX_REPLY_ACTIONS:
            message = (
                f"{action}: this is the eleventh action of the reply, and {MAX_REPLY_ACTIONS} are allowed (R7); a "
                "bounce counts once per different message, so use fewer of them"
            )
            raise ReplyError(message)
        longer = tuple(entries.values())
        self._check_recipient_count(action, longer)
        return type(self)(self.direction, self.known, longer)

    def _read(self, action: ReplyAction, recipients: str | Iterable[str], *, adding: bool) -> dict[str, str]:
        read: dict[str, str] = {}
        for index, recipient in enumerate([recipients] if isinstance(recipients, str) else recipients):
            where = f"{action}: recipients[{index}]"
            if not isinstance(recipient, str):
                message = f"{where} is a {type(recipient).__name__}; it must be an address"
                raise ReplyError(message)
            if problem := address_problem(recipient):
                message = f"{where} must be an address like mailbox@example.com, but {problem} (R1)"
                raise ReplyError(message)
            key = address_key(recipient)
            if self.known is not None and key not in self.known and not adding:
                message = (
                    f"{where} is not a recipient of this message: naming it would send it a copy (R6); name one of "
                    "event.recipients, or use add_bcc() to send a copy"
                )
                raise ReplyError(message)
            read[key] = recipient
        return read

    @staticmethod
    def _check_conflicts(
        entries: dict[tuple[str, str | None], _Entry],
        effect: tuple[str, str | None],
        named: dict[str, str],
        *,
        all_recipients: bool,
    ) -> None:
        for other, entry in entries.items():
            if other == effect:
                continue
            if all_recipients and entry.all_recipients:
                message = f"{effect[0]}: {entry.action} is for all recipients already; {CONFLICTING_ACTIONS_FAIL}"
                raise ReplyError(message)
            if twice := named.keys() & entry.recipients.keys():
                message = (
                    f"{effect[0]}: {len(twice)} of the recipients have {entry.action} already; "
                    f"{CONFLICTING_ACTIONS_FAIL}"
                )
                raise ReplyError(message)

    def _check_recipient_count(self, action: ReplyAction, entries: tuple[_Entry, ...]) -> None:
        if self.direction is not FlowDirection.OUTBOUND:
            return
        named = {key for entry in entries for key in entry.recipients}
        total = len(named | (self.known or frozenset()))
        if named and total > MAX_OUTBOUND_REPLY_RECIPIENTS:
            message = (
                f"{action}: with it there are {total} recipients; an outbound reply may have "
                f"{MAX_OUTBOUND_REPLY_RECIPIENTS} (R9): name fewer, or use a method that takes all"
            )
            raise ReplyError(message)

    def __repr__(self) -> str:
        """Show actions and counts only."""
        shown = (
            f"{entry.action}: {len(entry.recipients)}{' and all' if entry.all_recipients else ''}"
            for entry in self.entries
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    if not TYPE_CHECKING:  # for type checkers the methods do not exist

        def __getattr__(self, name: str) -> object:
            """Say why an outbound reply has no spam action, instead of a bare AttributeError."""
            if name in vars(InboundReply):
                message = (
                    f"{name}: the message's direction is {self.direction or 'not known'}, and only INBOUND has this "
                    f"action; allowed here are {', '.join(self.offered)} (R2)"
                )
                if self.direction is None:
                    message += "; if the rule is inbound, declare the handler with @synchronous_inbound"
                raise DirectionError(message)
            message = f"{type(self).__name__} has no attribute {name!r}"
            raise AttributeError(message)


class InboundReply(Reply):
    """A reply for mail to the organization: what `Reply` has, and the two spam actions (R2)."""

    direction: FlowDirection | None = FlowDirection.INBOUND

    offered = REPLY_ACTIONS[FlowDirection.INBOUND]

    def move_to_junk(self, recipients: str | Iterable[str]) -> Self:
        """Deliver the message into the junk folder of these recipients."""
        return self._add(ReplyAction.MOVE_TO_JUNK, recipients)

    def move_to_junk_for_all(self) -> Self:
        """Deliver the message into the junk folder of every recipient that no other action names."""
        return self._add(ReplyAction.MOVE_TO_JUNK)

    def bypass_spam_check(self, recipients: str | Iterable[str]) -> Self:
        """Never deliver the message as junk to these recipients."""
        return self._add(ReplyAction.BYPASS_SPAM_CHECK, recipients)

    def bypass_spam_check_for_all(self) -> Self:
        """Never deliver the message as junk to any recipient that no other action names."""
        return self._add(ReplyAction.BYPASS_SPAM_CHECK)


def _check_bounce_message(message: object) -> None:
    if not isinstance(message, str):
        found = f"{ReplyAction.BOUNCE}: the message is a {type(message).__name__}; it must be a string (R3)"
        raise ReplyError(found)
    if any("\ud800" <= character <= "\udfff" for character in message):
        # The runtime client could not encode the reply, and would fail with an obscure message.
        found = f"{ReplyAction.BOUNCE}: the message holds a lone surrogate, which UTF-8 cannot carry; remove it"
        raise ReplyError(found)
