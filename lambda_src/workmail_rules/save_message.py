"""`SaveMessage`: the message as it came, and its event, in a bucket."""

from __future__ import annotations

import json
import re
import time
from calendar import timegm

from workmail_runtime.content_errors import ServiceError
from workmail_runtime.put_object import put_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from workmail_rules.message import Message

_HEAD_BYTES: Final = 64 * 1024
# The first field of each name. A folded field goes on with a space.
_RECEIVED: Final = re.compile(rb"^Received:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_DATE: Final = re.compile(rb"^Date:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_MONTHS: Final = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_TIME: Final = re.compile(
    rb"(\d{1,2})\s+(" + b"|".join(_MONTHS) + rb")\s+(\d{4})\s+(\d\d):(\d\d)(?::(\d\d))?\s+([+-])(\d\d)(\d\d)",
    re.IGNORECASE,
)
_DAY_S: Final = 24 * 60 * 60
"""How long a message is in transit at most (C2)."""
_CLOCKS_S: Final = 60 * 60
"""How far the clock of the server that wrote a date may be ahead."""


def run(message: Message, *, bucket: str, prefix: str, header: str | None) -> None:
    """Put the message and its event under one key, `….eml` and `….json`, unless an earlier attempt did.

    Raises:
        ServiceError: S3 or WorkMail refused.
        ServiceUnreachableError: One of them gave no usable answer in time.
    """
    raw = message.raw
    key = f"{prefix}{object_key(message, time.time())}"
    _put(message, bucket, f"{key}.eml", raw, "message/rfc822")
    _put(message, bucket, f"{key}.json", json.dumps(message.event.raw).encode(), "application/json")
    if header is not None:
        _name_key(message, header, f"{key}.eml")


def object_key(message: Message, now: float) -> str:
    """Return the key by day (UTC), direction, message id and invocation id; the same for all attempts (E7)."""
    event = message.event
    day = time.strftime("%Y/%m/%d", time.gmtime(_came_at(message.raw, now)))
    direction = "unknown" if event.direction is None else event.direction.lower()
    ids = "/".join(re.sub(r"[^A-Za-z0-9-]", "-", each) for each in (event.message_id, event.invocation_id) if each)
    return f"{day}/{direction}/{ids}"


def _put(message: Message, bucket: str, key: str, content: bytes, content_type: str) -> None:
    try:
        put_object(bucket, key, (content,), content_type=content_type, only_new=True, deadline=message.deadline)
    except ServiceError as error:
        if error.code != "PreconditionFailed":
            raise
        message.note("saved by an earlier attempt")
    else:
        message.note(f"saved {len(content)} bytes")


def _came_at(raw: bytes, now: float) -> float:
    """Return when the message came: what an attempt after midnight finds, too.

    That is the date of the last server, or else the sender's, if it is of the last day; or else now. A sender who makes
    one up chooses between two days.
    """
    head = re.split(rb"(?:\A|\n)\r?\n", raw[:_HEAD_BYTES], maxsplit=1)[0]
    return next((each for each in _dates(head) if now - _DAY_S <= each <= now + _CLOCKS_S), now)


def _dates(head: bytes) -> Iterator[float]:
    received, date = _RECEIVED.search(head), _DATE.search(head)
    for value in (received and received[1].rpartition(b";")[2], date and date[1]):
        if value and (found := _TIME.search(value)):
            day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
            utc = (int(year), _MONTHS.index(month.lower()) + 1, int(day), int(hour), int(minute), int(second or 0))
            try:
                east_s = (int(hours) * 60 + int(minutes)) * 60
                yield timegm(utc) - (east_s if sign == b"+" else -east_s)
            except ValueError:  # a day or year that there is not
                continue


def _name_key(message: Message, header: str, key: str) -> None:
    """Name the key in the message's header, in place of what a sender may have put there."""
    from workmail_runtime.edit import EditRefusedError

    try:
        message.editor.replace_header(header, key)
    except EditRefusedError as error:
        message.note(f"no header: {error.reason}")
        message.count("NoHeader")
    # The message is saved: a header that WorkMail does not take (C7, C8) is no failure.
    message.edit_may_be_lost = True
