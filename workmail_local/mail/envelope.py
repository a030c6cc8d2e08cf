"""The envelope of a message that lies in a file: who sends it and who gets it, where nobody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from email import policy
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import TYPE_CHECKING

from workmail_flow.address import address_key, domain_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_SENDER = "sender@sender.example"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends and who gets a message.

    Args:
        notes: What was assumed, for people.
    """

    mail_from: str
    recipients: tuple[str, ...]
    notes: tuple[str, ...]


def envelope_of(
    content: bytes,
    *,
    direction: str,
    domains: Sequence[str],
    mail_from: str | None = None,
    recipients: Sequence[str] = (),
) -> Envelope:
    """Return the envelope of a message from what is given, else from its headers.

    A message from anywhere can be sent: inbound its recipients, outbound its sender, become addresses of the
    organization's first domain where none of them is the organization's already (E4).

    Args:
        content: The message.
        direction: `inbound` or `outbound`.
        domains: The organizations'; none means that every address is theirs.
        mail_from: Envelope sender, as given.
        recipients: Envelope recipients, as given.
    """
    headers = BytesHeaderParser(policy=policy.compat32).parsebytes(content)
    own = {domain_key(domain) for domain in domains}
    notes: list[str] = []
    sender = mail_from
    if sender is None:
        named = _addresses(headers.get_all("From", []))
        sender = named[0] if named else DEFAULT_SENDER
        if direction == "outbound" and own and not _is_own(sender, own):
            sender = _moved(sender, domains[0])
            notes.append("its From is no address of the organization; sent as the same mailbox of its first domain")
    found = tuple(recipients)
    if not found:
        found = _addresses(str(value) for name in ("To", "Cc", "Bcc") for value in headers.get_all(name, []))
        if direction == "inbound" and own:
            inside = tuple(one for one in found if _is_own(one, own))
            if found and not inside:
                notes.append(
                    "no recipient is an address of the organization; sent to the same mailboxes of its first domain"
                )
                inside = tuple({address_key(one): one for one in (_moved(one, domains[0]) for one in found)}.values())
            elif len(inside) < len(found):
                notes.append(f"{len(found) - len(inside)} recipients are not the organization's and get nothing (E4)")
            found = inside
    return Envelope(sender, found, tuple(notes))


def _addresses(values: Iterable[object]) -> tuple[str, ...]:
    fields = [str(value) for value in values]
    addresses = [address for _, address in getaddresses(fields) if "@" in address]
    return tuple({address_key(address): address for address in addresses}.values())


def _is_own(address: str, own: set[str]) -> bool:
    return domain_key(address.rpartition("@")[2]) in own


def _moved(address: str, domain: str) -> str:
    return f"{address.rpartition('@')[0]}@{domain}"
