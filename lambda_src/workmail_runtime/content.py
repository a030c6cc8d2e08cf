"""A message's content: fetch it in one call, edit it, put it back (C1-C9)."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from contextlib import contextmanager
from enum import StrEnum

from workmail_flow.limits import BUCKET_NAME_PATTERN, OBJECT_KEY_PATTERN
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE
from workmail_flow.metrics import EDITS_FAILED, EDITS_MADE, EDITS_REFUSED, EDITS_REFUSED_AS
from workmail_flow.record import Record
from workmail_runtime.aws_request import AwsRequest, send
from workmail_runtime.aws_settings import read_settings
from workmail_runtime.content_errors import (
    AccessDeniedError,
    ContentUnavailableError,
    InvalidContentLocationError,
    MessageFrozenError,
    MessageNotFoundError,
    MessageRejectedError,
    ServiceError,
    UpdateRefusedError,
)
from workmail_runtime.metrics import count
from workmail_runtime.put_object import put_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import ClassVar, Final, Protocol

    from workmail_runtime.aws_request import AwsResponse
    from workmail_runtime.edit import MessageEditor
    from workmail_runtime.lambda_context import LambdaContext

    class ContentEvent(Protocol):
        """What content needs of an `Event`. The event fetches content, so this module cannot import it."""

        mail_waits: ClassVar[bool]

        @property
        def message_id(self) -> str | None:
            """What fetches the content (E8)."""

        @property
        def invocation_id(self) -> str | None:
            """Stays the same over all retries of one event (E7)."""

        @property
        def context(self) -> LambdaContext | None:
            """Lambda's context; None outside Lambda."""

    Chunk = bytes | bytearray | memoryview

_logger = logging.getLogger("workmail_runtime")

# The time left to the handler when a call is given up, so that it can still decide and answer.
_SPARE_S: Final = 0.5

# How much of earlier messages may be left in memory; to free it takes some milliseconds.
_MAX_LEFT_BYTES: Final = 4 * 1024 * 1024
_left_bytes = 0

_ERRORS: Final[dict[str, type[ServiceError]]] = {
    "ResourceNotFoundException": MessageNotFoundError,
    "InvalidContentLocation": InvalidContentLocationError,
    "MessageFrozen": MessageFrozenError,
    "MessageRejected": MessageRejectedError,
    "AccessDeniedException": AccessDeniedError,
    "AccessDenied": AccessDeniedError,
}


class WhenRefused(StrEnum):
    """What happens when WorkMail refuses an update (C7, C8)."""

    GO_ON = "GO_ON"
    """The handler goes on, and the message stays as it came."""

    FAIL = "FAIL"
    """The error is raised: the invocation fails, WorkMail tries again and then takes the fallback action (T2)."""


class UpdateOutcome(StrEnum):
    """What `put` did."""

    UPDATED = "UPDATED"
    """The message goes on with the new content."""

    UNCHANGED = "UNCHANGED"
    """The content is the same as the message's; nothing was called."""

    REFUSED = "REFUSED"
    """The service refused, or would have; the message stays as it came."""


class Update(Record):
    """The result of `put`.

    Args:
        outcome: What was done.
        refusal: Why the update was refused, if it was.
    """

    outcome: UpdateOutcome
    refusal: UpdateRefusedError | None = None


class MessageContent(Record):
    """A message as it was fetched.

    Args:
        event: The event it belongs to.
        raw: The whole MIME message. A message updated before comes with its update (C4).
    """

    event: ContentEvent
    raw: bytes

    def __repr__(self) -> str:
        """Show id and size only."""
        return f"MessageContent(message_id={self.event.message_id!r}, {len(self.raw)} bytes)"

    def edit(self) -> MessageEditor:
        """Start editing a copy; what is edited counts once it is `put`."""
        from workmail_runtime.edit import MessageEditor  # a handler that only reads does not load it

        return MessageEditor(self.raw, invocation_id=self.event.invocation_id or self.event.message_id)

    def put(
        self,
        content: MessageEditor | bytes | bytearray,
        *,
        when_refused: WhenRefused = WhenRefused.GO_ON,
        bucket: str | None = None,
    ) -> Update:
        """Replace the message's content: upload the new content to the bucket, then call PutRawMessageContent (C1).

        Content that did not change is not put. What WorkMail would refuse (C8) is found before any call.

        Args:
            content: The editor that holds it, or a whole MIME message.
            when_refused: What to do if the message is frozen (C7) or the content is refused (C8), which inbound mail
                often is as it arrives (C9).
            bucket: The bucket to upload to; by default the one that WORKMAIL_MESSAGE_BUCKET names.

        Raises:
            ContentUnavailableError: The rule is asynchronous, so an update would have no effect (C4), or the
                bucket cannot be used (C6); nothing was called.
            UpdateRefusedError: WorkMail refused, or would have, and `when_refused` says FAIL.
            ServiceError: The service refused a call for another reason; see the subclasses.
            ServiceUnreachableError: A call got no usable answer.
        """
        if not self.event.mail_waits:
            message = (
                "the rule is asynchronous, and an update shows only when a synchronous rule's function makes it (C4): "
                "make the rule synchronous, or do not put"
            )
            raise ContentUnavailableError(message)
        if _is_unchanged(content, self.raw):
            return Update(UpdateOutcome.UNCHANGED)
        try:
            self._replace(content, self._location(bucket))
        except (MessageFrozenError, MessageRejectedError) as refusal:
            count(EDITS_REFUSED)
            count(EDITS_REFUSED_AS[refusal.code])
            if when_refused is WhenRefused.FAIL:
                raise
            _logger.warning("message %s goes on unchanged: %s", self.event.message_id, refusal)
            return Update(UpdateOutcome.REFUSED, refusal)
        except BaseException:
            count(EDITS_FAILED)
            raise
        count(EDITS_MADE)
        return Update(UpdateOutcome.UPDATED)

    def _replace(self, content: MessageEditor | bytes | bytearray, location: _Location) -> None:
        chunks = (content,) if isinstance(content, bytes | bytearray) else tuple(content.chunks())
        _check(content, self.raw)
        version = _upload(chunks, location, self.event)
        reference = {"bucket": location.bucket, "key": location.key}
        if version:
            reference["objectVersion"] = version
        body = json.dumps({"content": {"s3Reference": reference}}).encode()
        _call_message_flow("POST", self.event, body)

    def _location(self, bucket: str | None) -> _Location:
        """Return where to upload the content to (C6)."""
        event = self.event
        bucket = bucket or os.environ.get(MESSAGE_BUCKET_VARIABLE)
        if not bucket:
            message = (
                f"there is no bucket to upload to: {MESSAGE_BUCKET_VARIABLE} is not set; RunLambdaRule sets it with "
                "content_access=ContentAccess.UPDATE, or give put() a bucket"
            )
            raise ContentUnavailableError(message)
        # Several rules may update one message: each invocation has its own object, which its retries write again (E7).
        key = f"{_message_id(event)}/{event.invocation_id}" if event.invocation_id else _message_id(event)
        for name, value, pattern in (("bucket", bucket, BUCKET_NAME_PATTERN), ("object key", key, OBJECT_KEY_PATTERN)):
            if not re.fullmatch(pattern, value):
                message = f"the {name} is {value!r}; WorkMail takes {pattern} only (C6)"
                raise ContentUnavailableError(message)
        return _Location(bucket, key)


class _Location(Record):
    bucket: str
    key: str


def fetch_content(event: ContentEvent) -> MessageContent:
    """Fetch the content of an event's message; `event.fetch_content()` is the same.

    Raises:
        ContentUnavailableError: The event is an older edition, without a message id (E2).
        MessageNotFoundError: There is no such message, or it is more than 24 hours old (C2).
        ServiceError: The service refused for another reason.
        ServiceUnreachableError: There was no usable answer.
    """
    global _left_bytes
    if _left_bytes >= _MAX_LEFT_BYTES:
        import gc

        # A parsed message is in a reference cycle, its parts and their parents, which Python looks for by the number of
        # objects made and not by their size: a function with room for two large messages would not take a third.
        gc.collect()
        _left_bytes = 0
    body = _call_message_flow("GET", event).body
    _left_bytes += len(body)
    return MessageContent(event, body)


def _is_unchanged(content: MessageEditor | bytes | bytearray, raw: bytes) -> bool:
    return content == raw if isinstance(content, bytes | bytearray) else not content.changed


def _check(content: MessageEditor | bytes | bytearray, raw: bytes) -> None:
    """Raise MessageRejectedError for what WorkMail would refuse (C8)."""
    from workmail_runtime.edit.check_message import check_edited, check_message

    if isinstance(content, bytes | bytearray):
        problems = check_message(content, original=raw)
    else:
        problems = check_edited(content, original=raw)
    if problems:
        raise MessageRejectedError("MessageRejected", "; ".join(map(str, problems)), status=400, request_id=None)


def _message_id(event: ContentEvent) -> str:
    if event.message_id is None:
        message = "the event has no messageId, which fetches the content: it is an older edition (E2)"
        raise ContentUnavailableError(message)
    return event.message_id


def _call_message_flow(method: str, event: ContentEvent, body: bytes | None = None) -> AwsResponse:
    settings = read_settings("WorkMailMessageFlow")
    endpoint = settings.endpoint_url
    if endpoint is None:
        host = "workmailmessageflow-fips" if settings.use_fips else "workmailmessageflow"
        endpoint = f"https://{host}.{settings.region}.{'api.aws' if settings.use_dualstack else 'amazonaws.com'}"
    request = AwsRequest(
        method,
        f"{endpoint}/messages/{_message_id(event)}",
        "workmailmessageflow",
        {"Content-Type": "application/json"} if body else {},
        body,
    )
    with _named_errors():
        return send(request, settings, deadline=_deadline(event))


def _upload(chunks: tuple[Chunk, ...], location: _Location, event: ContentEvent) -> str | None:
    with _named_errors():
        return put_object(
            location.bucket, location.key, chunks, content_type="message/rfc822", deadline=_deadline(event)
        )


def _deadline(event: ContentEvent) -> float | None:
    if event.context is None:
        return None
    return time.monotonic() + event.context.get_remaining_time_in_millis() / 1000 - _SPARE_S


@contextmanager
def _named_errors() -> Iterator[None]:
    """Raise the class of error that a handler can catch, where there is one."""
    try:
        yield
    except ServiceError as error:
        kind = _ERRORS.get(error.code)
        if kind is None:
            raise
        raise kind(error.code, error.service_message, status=error.status, request_id=error.request_id) from error
