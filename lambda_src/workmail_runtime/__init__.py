"""What runs inside a rule's function: typed events and replies, and message content. Standard library only at import.

A handler that only looks at the event loads nothing of AWS; what calls AWS is loaded by the first call that needs it.
"""

from __future__ import annotations

from workmail_flow.vocabulary import FlowDirection
from workmail_runtime.errors import DirectionError, EventError, ReplyError, WorkMailRuntimeError
from workmail_runtime.event import AsynchronousEvent, Event, InboundEvent, OutboundEvent, SynchronousEvent
from workmail_runtime.handlers import asynchronous, synchronous, synchronous_inbound, synchronous_outbound
from workmail_runtime.reply import InboundReply, Reply

__all__ = [
    "AsynchronousEvent",
    "DirectionError",
    "Event",
    "EventError",
    "FlowDirection",
    "InboundEvent",
    "InboundReply",
    "OutboundEvent",
    "Reply",
    "ReplyError",
    "SynchronousEvent",
    "WorkMailRuntimeError",
    "asynchronous",
    "synchronous",
    "synchronous_inbound",
    "synchronous_outbound",
]
