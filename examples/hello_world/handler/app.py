"""Looks at each inbound message and decides who gets it, which folder it goes to, or why it is refused."""

from __future__ import annotations

from email import message_from_bytes, policy

from workmail_runtime import InboundEvent, Reply, synchronous_inbound

PROGRAMS = (".exe", ".js", ".scr", ".vbs")
JUNK_WORDS = ("lottery", "loterie")
UNREAD = "no-reply@"


@synchronous_inbound
def handler(event: InboundEvent) -> Reply:
    """Bounce programs, move lotteries to junk, and drop what is sent to addresses that nobody reads."""
    message = message_from_bytes(event.fetch_content().raw, policy=policy.default)

    attachments = [part.get_filename("") for part in message.walk()]
    if any(name.lower().endswith(PROGRAMS) for name in attachments):
        return event.reply.bounce_for_all(message="We take no programs by mail. Please send a link instead.")

    # The message's own Subject: the event's copy is cut at 256 characters.
    subject = str(message["Subject"] or "").lower()
    if any(word in subject for word in JUNK_WORDS):
        return event.reply.move_to_junk_for_all()

    unread = [address for address in event.recipients if address.startswith(UNREAD)]
    return event.reply.drop(unread).default_for_all()
