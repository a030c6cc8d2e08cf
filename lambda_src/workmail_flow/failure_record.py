"""What Lambda sends to an on-failure destination when it gives an asynchronous invocation up."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from workmail_flow.arns import UNPUBLISHED
from workmail_flow.limits import MESSAGE_ID_PATTERN

_VERSION: Final = "1.0"
_FUNCTION_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
_WORD: Final = re.compile(r"[A-Za-z0-9_.$:-]{1,128}")
"""Conditions, request ids, error types: names, in which no address can hide."""
_MESSAGE_ID: Final = re.compile(MESSAGE_ID_PATTERN)


class FailureRecordError(ValueError):
    """Text is no failure record of an event that WorkMail sent; the text says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord:
    """One event that an asynchronous function failed on for good.

    Args:
        timestamp: When Lambda gave it up, with a time zone.
        request_id: Lambda's id of the invocation; the same for its retries.
        function_arn: The function, version or alias that was invoked, with `:$LATEST` at its end if neither.
        condition: `RetriesExhausted` or `EventAgeExceeded`.
        invoke_count: How often the function ran, approximately.
        event: The event, as WorkMail sent it.
        error_type: The last error's type; None if there is none, or none that is a name.
        error_message: The last error's text, which may quote the message.
        executed_version: The version that ran; None if it is not known.
    """

    timestamp: datetime
    request_id: str
    function_arn: str
    condition: str
    invoke_count: int
    event: dict[str, Any]
    error_type: str | None = None
    error_message: str | None = None
    executed_version: str | None = None

    @classmethod
    def read(cls, text: str) -> FailureRecord:
        """Read a record.

        A queue may hold anything that anybody with the right to send put there, so each part that is used is checked.

        Raises:
            FailureRecordError: It is no such record, or its event is none of WorkMail's.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise FailureRecordError("not JSON") from None
        if _is_event(record):
            message = (
                "the event alone, as in a dead-letter queue, which does not keep what function it was for: "
                "send it with `aws lambda invoke --invocation-type Event`"
            )
            raise FailureRecordError(message)
        match record:
            case {
                "version": str(),
                "timestamp": str(timestamp),
                "requestContext": {
                    "requestId": str(request_id),
                    "functionArn": str(function_arn),
                    "condition": str(condition),
                    "approximateInvokeCount": int(invoke_count),
                },
                "requestPayload": dict(event),
            }:
                pass
            case _:
                raise FailureRecordError("not a failure record of Lambda")
        if not all(map(_WORD.fullmatch, (request_id, condition))) or not _FUNCTION_ARN.fullmatch(function_arn):
            raise FailureRecordError("not a failure record of Lambda")
        if not _is_event(event):
            raise FailureRecordError("its event is not one of WorkMail")
        response = record.get("responsePayload")
        context = record.get("responseContext")
        error_type = _text(response, "errorType")
        read = cls(
            timestamp=_time(timestamp),
            request_id=request_id,
            function_arn=function_arn,
            condition=condition,
            invoke_count=invoke_count,
            event=event,
            error_type=error_type if error_type and _WORD.fullmatch(error_type) else None,
            error_message=_text(response, "errorMessage"),
            executed_version=_text(context, "executedVersion"),
        )
        read.payload()
        return read

    @property
    def invoked(self) -> str:
        """The ARN to invoke: of the function itself, or of the version or alias that failed."""
        return self.function_arn.removesuffix(f":{UNPUBLISHED}")

    @property
    def message_id(self) -> str | None:
        """The id by which the content is fetched (E8); events of old editions have none (E2)."""
        found = self.event.get("messageId")
        return found if isinstance(found, str) else None

    @property
    def invocation_id(self) -> str | None:
        """The same for all retries of one event (E7); events of old editions have none (E2)."""
        found = self.event.get("invocationId")
        return found if isinstance(found, str) and found else None

    def payload(self) -> bytes:
        """Return the event as it is sent to the function.

        Raises:
            FailureRecordError: It has what no JSON in UTF-8 can hold.
        """
        try:
            text = json.dumps(self.event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return text.encode()
        except (ValueError, RecursionError):  # a lone surrogate is a ValueError too
            raise FailureRecordError("its event is not strict JSON") from None

    def to_json(self) -> dict[str, Any]:
        """Return the record in the form that AWS documents for destinations."""
        timestamp = self.timestamp.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "version": _VERSION,
            "timestamp": timestamp,
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": self.function_arn,
                "condition": self.condition,
                "approximateInvokeCount": self.invoke_count,
            },
            "requestPayload": self.event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": self.executed_version,
                "functionError": "Unhandled",
            },
            "responsePayload": {"errorType": self.error_type, "errorMessage": self.error_message},
        }


def _is_event(value: object) -> bool:
    """Whether it can be an event of WorkMail: an envelope in every edition (E2), and ids as they are if it has them."""
    if not isinstance(value, dict):
        return False
    match value.get("envelope"):
        case {"recipients": list()}:
            pass
        case _:
            return False
    message_id = value.get("messageId", "-")
    invocation_id = value.get("invocationId", "-")
    return (
        isinstance(message_id, str)
        and _MESSAGE_ID.fullmatch(message_id) is not None
        and isinstance(invocation_id, str)
        and _WORD.fullmatch(invocation_id) is not None
    )


def _text(value: object, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise FailureRecordError("not a failure record of Lambda") from None
