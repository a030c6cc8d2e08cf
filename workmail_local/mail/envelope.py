"""The envelope of a message that lies in a file: who sends it and who gets it, unless the caller says so."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workmail_flow.address import address_key, address_problem, domain_key
from workmail_local.address_list import addresses
from workmail_local.message_head import header_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DEFAULT_SENDER: Final = "sender@sender.example"
"""For a message whose header names no sender."""

NULL_REVERSE_PATH: Final = "<>"
"""How a person writes the sender of a bounce, which is "" in an envelope (RFC 5321 section 4.5.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who sends and who gets a message.

    Attributes:
        mail_from: "" is the null reverse-path.
        recipients: Each address once; empty if the header names none.
        notes: What differs from the message's header, for people.
    """

    mail_from: str
    recipients: tuple[str, ...]
    notes: tuple[str, ...] = ()


def envelope_of(
    content: bytes,
    *,
    mail_from: str | None = None,
    recipients: Sequence[str] = (),
    direction: str = "inbound",
    domains: Sequence[str] = (),
) -> Envelope:
    """Return the envelope of a message: what is given, and the rest from its header.

    The sender is that of Return-Path, where the last mail server recorded the envelope it got (RFC 5321 section 4.4).
    Without it, it is Sender, who submitted the message, and then the first author in From (RFC 5322 section 3.6.2).
    The recipients are those of To, Cc and Bcc.

    A message from anywhere can be sent: inbound its recipients, outbound its sender, become addresses of the
    organization's first domain if none of them is the organization's already (E4).

    Args:
        content: The message.
        mail_from: Envelope sender; "<>" and "" are the null reverse-path.
        recipients: Envelope recipients.
        direction: `inbound` or `outbound`.
        domains: The organizations'; none means that every address is theirs.
    """
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in header_fields(content, "return-path", "sender", "from", "to", "cc", "bcc"):
        fields[name].append(value.decode("utf-8", "surrogateescape"))
    notes: list[str] = []
    if mail_from is None:
        mail_from = _sender(fields)
        if direction == "outbound" and domains and not _inside((mail_from,), domains):
            notes.append(
                "its sender is not an address of the organization; sent as the same mailbox of its first domain"
            )
            mail_from = _moved(mail_from or DEFAULT_SENDER, domains[0])
    elif mail_from == NULL_REVERSE_PATH:
        mail_from = ""
    if not recipients:
        recipients = found = _addresses([*fields["to"], *fields["cc"], *fields["bcc"]])
        if direction == "inbound" and domains:
            recipients = _inside(found, domains)
            if found and not recipients:
                notes.append(
                    "no recipient is an address of the organization; sent to the same mailboxes of its first domain"
                )
                recipients = _unique(_moved(one, domains[0]) for one in found)
            elif len(recipients) < len(found):
                notes.append(
                    f"{len(found) - len(recipients)} recipients are not the organization's and get nothing (E4)"
                )
    return Envelope(mail_from=mail_from, recipients=tuple(recipients), notes=tuple(notes))


def _sender(fields: Mapping[str, list[str]]) -> str:
    if fields["return-path"][:1] == [NULL_REVERSE_PATH]:
        return ""
    return next(iter(_addresses([*fields["return-path"], *fields["sender"], *fields["from"]])), DEFAULT_SENDER)


def _addresses(values: Iterable[str]) -> tuple[str, ...]:
    found = (address for value in values for address in addresses(value))
    return _unique(address for address in found if not address_problem(address))


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple({address_key(address): address for address in found}.values())


def _inside(found: Iterable[str], domains: Iterable[str]) -> tuple[str, ...]:
    own = {domain_key(domain) for domain in domains}
    return tuple(address for address in found if domain_key(address.rpartition("@")[2]) in own)


def _moved(address: str, domain: str) -> str:
    return f"{address.rpartition('@')[0]}@{domain}"
