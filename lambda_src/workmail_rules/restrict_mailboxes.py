"""`RestrictMailboxes`: the members of a group exchange mail inside the organization only."""

from __future__ import annotations

from functools import cache

from workmail_flow.address import address_key
from workmail_flow.vocabulary import FlowDirection
from workmail_rules.directory import Directory
from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from workmail_rules.message import Message


def run(
    message: Message,
    *,
    organization_id: str,
    group: str,
    domains: tuple[str, ...],
    max_age_s: float,
    report_to: tuple[str, ...],
    action: str,
    text: str | None = None,
) -> None:
    """Refuse mail between a member of the group and somebody outside of the organization, for that recipient."""
    directory = _directory(organization_id, max_age_s)
    deadline = message.deadline
    event = message.event
    internal = frozenset(domains) or directory.mail_domains(deadline=deadline)
    senders = (event.mail_from, *([event.sender] if event.sender else []))
    outside = _outside((*senders, *message.recipients), internal)
    if event.direction is FlowDirection.OUTBOUND:
        refused = [address for address in message.recipients if address in outside]
        concerns = bool(refused or event.truncated) and any(
            _is_member(each, directory, group, deadline) for each in senders if each
        )
        refused = refused if concerns else []
    else:
        concerns = not outside.isdisjoint(senders)
        recipients = message.recipients if concerns else ()
        refused = [each for each in recipients if _is_member(each, directory, group, deadline)]
    if refused:
        message.count("Refused", message.decide(action, text=text, recipients=refused))
        message.copy_to(report_to)
    if concerns and event.truncated:
        why = "the event leaves recipients out (E6), for whom nobody can tell whether they may get the message"
        raise StepError(why)


def _outside(addresses: Iterable[str], internal: frozenset[str]) -> frozenset[str]:
    """Return those of the addresses that are of no domain of the organization; the null sender is among them."""
    return frozenset(each for each in addresses if address_key(each).rpartition("@")[2] not in internal)


def _is_member(address: str, directory: Directory, group: str, deadline: float) -> bool:
    members = directory.members(group, deadline=deadline)
    mailbox, _, domain = address_key(address).rpartition("@")
    # Mail to mary+news@ may reach mary@.
    for spelling in dict.fromkeys((f"{mailbox}@{domain}", f"{mailbox.partition('+')[0]}@{domain}")):
        entity = directory.entity_id(spelling, deadline=deadline)
        if entity in members or (entity is None and directory.is_alias(spelling, members, deadline=deadline)):
            return True
    return False


@cache
def _directory(organization_id: str, max_age_s: float) -> Directory:
    return Directory(organization_id, max_age_s)
