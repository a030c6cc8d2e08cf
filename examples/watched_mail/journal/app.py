"""Writes one line per outgoing message: how large it is, and for how many it is. No address, no subject."""

from __future__ import annotations

import logging

from workmail_runtime import AsynchronousEvent, asynchronous

logging.getLogger().setLevel(logging.INFO)


@asynchronous
def handler(event: AsynchronousEvent) -> None:
    """Look at the message beside its delivery."""
    content = event.fetch_content()
    logging.info("message %s: %d bytes for %d recipients", event.message_id, len(content.raw), len(event.recipients))
