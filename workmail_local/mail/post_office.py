"""Delivers what was decided for each recipient: to a mailbox, to the spool, as a bounce, or nowhere."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_local.mail.bounce import Bounce
from workmail_local.mail.mailboxes import INBOX, JUNK, Mailboxes, OutboundSpool
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workmail_local.records import Flow, RecipientOutcome

_DEFAULT_REPORTER = "workmail.localhost"


class PostOffice:
    """Delivers flows.

    Args:
        state: The state folder.
        is_local: Says whether an address belongs to an organization here.
    """

    def __init__(self, state: Path, *, is_local: Callable[[str], bool]) -> None:
        self.mailboxes = Mailboxes(state)
        self.spool = OutboundSpool(state)
        self._bounces = state / "content"
        self._is_local = is_local

    def deliver(
        self, content: Path, *, flow: Flow, outcomes: Sequence[RecipientOutcome], again: bool
    ) -> list[str | None]:
        """Deliver one flow and return each outcome's place. Delivering it again changes nothing.

        Args:
            content: The content to deliver.
            flow: Whose recipients they are.
            outcomes: What was decided.
            again: Whether a process that was killed may have delivered some of it.
        """
        places: list[str | None] = [None] * len(outcomes)
        spooled: defaultdict[str | None, list[int]] = defaultdict(list)
        bounced: defaultdict[str | None, list[int]] = defaultdict(list)
        name = mail_name(flow.message.received_at, flow.id)
        for position, outcome in enumerate(outcomes):
            if outcome.action == RuleAction.DROP:
                continue
            if outcome.action == RuleAction.BOUNCE:
                bounced[outcome.bounce_message].append(position)
            elif flow.message.direction is FlowDirection.OUTBOUND and (
                outcome.action == RuleAction.ROUTE_TO_SMTP_GATEWAY or not self._is_local(outcome.recipient)
            ):
                gateway = flow.rule.smtp_gateway if flow.rule and outcome.action != RuleAction.DEFAULT else None
                spooled[gateway].append(position)
            else:
                places[position] = self.mailboxes.deliver(
                    content, address=outcome.recipient, folder=_folder(flow, outcome), name=name, again=again
                )
        for gateway, positions in spooled.items():
            place = self.spool.deliver(
                content,
                name=f"{flow.id}.gateway" if gateway else flow.id,
                mail_from=flow.message.mail_from,
                recipients=[outcomes[position].recipient for position in positions],
                route=gateway,
            )
            for position in positions:
                places[position] = place
        # A bounce of a bounce would never end (RFC 5321 section 4.5.5).
        if flow.message.mail_from:
            for number, (text, positions) in enumerate(bounced.items(), start=1):
                recipients = [outcomes[position].recipient for position in positions]
                place = self._bounce(content, flow, number=number, text=text, recipients=recipients, again=again)
                for position in positions:
                    places[position] = place
        return places

    def _bounce(
        self,
        content: Path,
        flow: Flow,
        *,
        number: int,
        text: str | None,
        recipients: Sequence[str],
        again: bool,
    ) -> str:
        reporter = recipients[0] if flow.message.direction is FlowDirection.INBOUND else flow.message.mail_from
        bounce = Bounce(
            flow_id=flow.id,
            number=number,
            mail_from=flow.message.mail_from,
            recipients=recipients,
            text=text,
            reporter=reporter.rpartition("@")[2] or _DEFAULT_REPORTER,
            arrived_at=flow.message.received_at,
            original=content.read_bytes(),
        )
        notification = self._bounces / f"{flow.id}.bounce-{number}.eml"
        if not notification.exists():
            write_whole_file(notification, bounce.to_bytes())
        if flow.message.direction is FlowDirection.OUTBOUND or self._is_local(flow.message.mail_from):
            return self.mailboxes.deliver(
                notification,
                address=flow.message.mail_from,
                folder=INBOX,
                name=mail_name(flow.message.received_at, f"{flow.id}-bounce-{number}"),
                again=again,
            )
        return self.spool.deliver(
            notification,
            name=f"{flow.id}.bounce-{number}",
            mail_from="",
            recipients=[flow.message.mail_from],
        )


def mail_name(received_at: float, unique: str) -> str:
    """Return the Maildir file name of a message, which is the same each time it is delivered."""
    return f"{int(received_at)}.M{int(received_at % 1 * 1_000_000):06d}.{unique}.workmail"


def _folder(flow: Flow, outcome: RecipientOutcome) -> str:
    if outcome.action == RuleAction.MOVE_TO_JUNK:
        return JUNK
    # The spam check decides if no rule and no function did. Outbound mail is not checked.
    return JUNK if flow.spam and outcome.action == RuleAction.DEFAULT else INBOX
