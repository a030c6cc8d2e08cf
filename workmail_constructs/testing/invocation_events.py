"""The event that WorkMail hands to a rule's function, for unit tests of handlers. Loads no aws_cdk.

It is built by what builds the events of the local WorkMail, and lies outside what is packed into functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack, get_args

from workmail_flow.vocabulary import FlowDirection
from workmail_local.invocation_event import SUMMARY_VERSION, compose_event

if TYPE_CHECKING:
    from collections.abc import Sequence

EventEdition = Literal["2019-07-28", "2018-10-10", "oldest"]
"""An edition's `summaryVersion`; the oldest edition has none (E2)."""

EVENT_EDITIONS: Final[tuple[EventEdition, ...]] = get_args(EventEdition)
"""Every edition that was seen (E2), newest first, to run a test over each."""

_MISSING: Final[dict[str, tuple[str, ...]]] = {
    "2018-10-10": ("messageId", "invocationId", "flowDirection"),
    "oldest": ("messageId", "invocationId", "flowDirection", "summaryVersion"),
}


class EventFields(TypedDict, total=False):
    """The fields of an event that a test may give."""

    recipients: Sequence[str]
    """The recipients of this SMTP conversation (E4); inbound, alice@example.com by default, and outbound
    carol@example.net. Past 128 KB they are cut, and the event is truncated (E6)."""
    mail_from: str
    """The envelope's sender; inbound, carol@example.net by default, and outbound alice@example.com. Empty for a
    bounce."""
    sender: str
    """Who sent on behalf of `mail_from` (E3); nobody by default."""
    subject: str
    """`Hello` by default; cut at 256 characters (E5)."""
    message_id: str
    """What fetches the content (E8). Older editions leave it out."""
    invocation_id: str
    """The same in all retries of one event (E7). Older editions leave it out."""
    truncated: bool
    """Whether WorkMail left recipients out (E6); by default, whether there are too many."""
    edition: EventEdition
    """The newest by default."""


def inbound_event(**fields: Unpack[EventFields]) -> dict[str, Any]:
    """Return the event of a message to the organization, as the function gets it; `EventFields` lists the arguments.

    Raises:
        TypeError: An unknown argument, or one string where a list of recipients is needed.
        ValueError: There is no such edition, or `message_id` does not match its pattern (E8).
    """
    return _event(FlowDirection.INBOUND, {"recipients": [_INSIDER], "mail_from": _OUTSIDER, **fields})


def outbound_event(**fields: Unpack[EventFields]) -> dict[str, Any]:
    """Return the event of a message from the organization; arguments and errors are those of `inbound_event`."""
    return _event(FlowDirection.OUTBOUND, {"recipients": [_OUTSIDER], "mail_from": _INSIDER, **fields})


_INSIDER: Final = "alice@example.com"
_OUTSIDER: Final = "carol@example.net"


def _event(direction: FlowDirection, fields: EventFields) -> dict[str, Any]:
    unknown = sorted(fields.keys() - EventFields.__annotations__.keys())
    if unknown:
        raise TypeError(f"{', '.join(unknown)}: unknown argument; allowed are {', '.join(EventFields.__annotations__)}")
    recipients = fields.get("recipients", ())
    if isinstance(recipients, str):
        raise TypeError(f"recipients: found the string {recipients!r}; give a list of addresses: [{recipients!r}]")
    edition = fields.get("edition", SUMMARY_VERSION)
    if edition not in EVENT_EDITIONS:
        raise ValueError(f"edition: found {edition!r}; allowed are {', '.join(EVENT_EDITIONS)} (E2)")
    event = compose_event(
        mail_from=fields.get("mail_from", ""),
        recipients=recipients,
        sender=fields.get("sender"),
        subject=fields.get("subject", "Hello"),
        direction=direction,
        message_id=fields.get("message_id", "00000000-0000-4000-8000-000000000001"),
        invocation_id=fields.get("invocation_id", "00000000-0000-4000-8000-000000000002"),
    )
    event["summaryVersion"] = edition
    event["truncated"] = fields.get("truncated", event["truncated"])
    return {name: value for name, value in event.items() if name not in _MISSING.get(edition, ())}
