"""Edits of a message's bytes: subject, banner, footer, headers and attachments. Standard library only, no AWS."""

from __future__ import annotations

from workmail_runtime.edit.check_message import Problem, ProblemCode, check_message
from workmail_runtime.edit.message_editor import MessageEditor
from workmail_runtime.edit.mime_part import MimePart
from workmail_runtime.edit.new_part import Attachment
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError

__all__ = [
    "Attachment",
    "EditRefusal",
    "EditRefusedError",
    "MessageEditor",
    "MimePart",
    "Problem",
    "ProblemCode",
    "check_message",
]
