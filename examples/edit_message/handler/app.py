"""Marks each message with a subject prefix, a banner above its body and a footer below it, each of them optional."""

from __future__ import annotations

import logging
import os

from workmail_runtime import Reply, SynchronousEvent, synchronous
from workmail_runtime.edit import EditRefusedError

logger = logging.getLogger(__name__)


@synchronous
def handler(event: SynchronousEvent) -> Reply:
    """Edit the message and deliver it; what cannot be edited is delivered as it came."""
    content = event.fetch_content()
    editor = content.edit()
    for variable, edit in (
        ("SUBJECT_PREFIX", editor.prefix_subject),
        ("BANNER", editor.add_banner),
        ("FOOTER", editor.add_footer),
    ):
        text = os.environ.get(variable, "").strip()
        if text:
            try:
                edit(text)
            except EditRefusedError as refused:  # for example an encrypted message, whose subject still gets the prefix
                logger.warning("message %s: no %s, %s", event.message_id, variable, refused)
    content.put(editor)  # puts nothing when nothing changed
    return event.reply.default_for_all()
