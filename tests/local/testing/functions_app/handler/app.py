"""Handlers that show which code ran, as what, and with which rights."""

from __future__ import annotations

import logging
import os
import sys

from notice import NOTICE

from workmail_runtime import AsynchronousEvent, Reply, SynchronousEvent, asynchronous, synchronous

logger = logging.getLogger(__name__)


@synchronous
def add_notice(event: SynchronousEvent) -> Reply:
    """Name the code and the version that ran in the message's subject."""
    content = event.fetch_content()
    editor = content.edit()
    editor.prefix_subject(f"{NOTICE} {os.environ['AWS_LAMBDA_FUNCTION_VERSION']}")
    content.put(editor)
    return event.reply.default_for_all()


@asynchronous
def read(event: AsynchronousEvent) -> None:
    """Log the runtime, and how long the message is."""
    logger.warning("%s.%s read %s bytes", *sys.version_info[:2], len(event.fetch_content().raw))


@asynchronous
def fail(event: AsynchronousEvent) -> None:
    """Fail."""
    raise RuntimeError(f"cannot handle {event.subject}")
