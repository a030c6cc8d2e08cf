"""Carries out what was decided for each recipient: into a mailbox, the spool, a bounce, or nowhere."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_local.mail.bounces import Bounce
from workmail_local.mail.mailboxes import INBOX, JUNK, Mailboxes, OutboundSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workmail_local.records import Flow, Outcome
    from workmail_local.store.journal import Batch

_DEFAULT_REPORTER = "workmail.localhost"


class PostOffice:
    """Delivers flows.

    Args:
        state: The state folder.
        is_local: Whether an address belongs to an organization here.
    """

    def __init__(self, state: Path, *, is_local: Callable[[str], bool]) -> None:
        self.mailboxes = Mailboxes(state)
        self._spool = OutboundSpool(state)
        self._bounces = state / "content"
        self._is_local = is_local

    def deliver(
        self, batch: Batch, content: Path, *, flow: Flow, outcomes: Sequence[Outcome], again: bool
    ) -> list[str | None]:
        """Deliver one flow, each outcome once however often this is called; return each one's place.

        Args:
            batch: Makes it durable.
            content: The content to deliver.
            flow: Whose recipients.
            outcomes: What was decided.
            again: A killed run may have delivered some of it.
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
                    batch, content, address=outcome.recipient, folder=_folder(flow, outcome), name=name, again=again
                )
        for gateway, positions in spooled.items():
            place = self._spool.deliver(
                batch,
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
                place = self._bounce(batch, content, flow, number=number, text=text, recipients=recipients, again=again)
                for position in positions:
                    places[position] = place
        return places

    def _bounce(
        self,
        batch: Batch,
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
            batch.write_file(notification, bounce.to_bytes())
        if flow.message.direction is FlowDirection.OUTBOUND or self._is_local(flow.message.mail_from):
            return self.mailboxes.deliver(
                batch,
                notification,
                address=flow.message.mail_from,
                folder=INBOX,
                name=mail_name(flow.message.received_at, f"{flow.id}-bounce-{number}"),
                again=again,
            )
        return self._spool.deliver(
            batch,
            notification,
            name=f"{flow.id}.bounce-{number}",
            mail_from="",
            recipients=[flow.message.mail_from],
        )


def mail_name(received_at: float, unique: str) -> str:
    """Return the Maildir file name of a message: the same whenever it is delivered."""
    return f"{int(received_at)}.M{int(received_at % 1 * 1_000_000):06d}.{unique}.workmail"


def _folder(flow: Flow, outcome: Outcome) -> str:
    if outcome.action == RuleAction.MOVE_TO_JUNK:
        return JUNK
    # The spam check decides where neither a rule nor a function did; outbound mail is not checked.
    return JUNK if flow.spam and outcome.action == RuleAction.DEFAULT else INBOX
