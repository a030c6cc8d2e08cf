"""One signed HTTP request to AWS without boto3, which costs a cold start more than everything else a handler does.

This module signs, sends, reads into one buffer, and tries again.
"""

from __future__ import annotations

import io
import logging
import random
import time
from hashlib import sha256
from http.client import HTTPException
from urllib.parse import urlsplit

from workmail_flow.limits import MAX_MIME_BYTES
from workmail_flow.record import Record
from workmail_runtime.aws_settings import read_credentials
from workmail_runtime.connection import Connection
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError
from workmail_runtime.sign_request import UNSIGNED_PAYLOAD, signed_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse
    from typing import Any, Final

    from workmail_runtime.aws_settings import AwsSettings

_logger = logging.getLogger("workmail_runtime")

MAX_ANSWER_BYTES: Final = MAX_MIME_BYTES + 1024 * 1024
"""The longest answer that is read: a whole message (F16), and a mebibyte for what a service may add to one."""

_MAX_ERROR_BYTES: Final = 64 * 1024
"""The longest error that is parsed; those of AWS have some hundred bytes."""

_RETRIED_STATUS: Final = frozenset({429, 500, 502, 503, 504, 509})
_THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
    }
)
_TRANSIENT: Final = frozenset({"RequestTimeout", "RequestTimeoutException", "InternalError"})

_READ_BYTES: Final = 256 * 1024
"""How much is read at once, and so held beside the buffer."""

_LONGEST_WAIT_S: Final = 20.0

_MAX_IDLE: Final = 4
"""How many connections to one host are kept: as many as a handler's threads may use at a time."""


class AwsRequest(Record):
    """A request before it is signed.

    Args:
        method: The HTTP method.
        url: The whole URL, its path encoded, without a query.
        signing_name: The service's name in the signature, for example `s3`.
        headers: Headers to sign and send.
        body: Bytes, or a seekable binary stream, which is sent without reading it into memory.
        checksum_header: The header that holds a checksum of `body`; over TLS S3 then needs no signed body.
    """

    method: str
    url: str
    signing_name: str
    headers: Mapping[str, str] = {}
    body: bytes | io.RawIOBase | None = None
    checksum_header: str | None = None


class AwsResponse(Record):
    """A successful response; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


def send(request: AwsRequest, settings: AwsSettings, *, deadline: float | None = None) -> AwsResponse:
    """Sign and send a request; try again as boto3 does on throttling, server errors and broken connections.

    Args:
        request: What to send; it may reach the service more than once.
        settings: Of the service.
        deadline: The `time.monotonic()` at which to give up, even in the middle of an answer; None for never.

    Raises:
        ServiceError: The service refused the request.
        ServiceUnreachableError: No try before the deadline got a usable answer, or the answer is longer than
            `MAX_ANSWER_BYTES`.
    """
    attempt = 1
    refusal: ServiceError | None = None
    while True:
        try:
            return _send_once(request, settings, deadline)
        except _TryAgainError as error:
            refusal = error.refusal or refusal
            wait = random.random() * min(_LONGEST_WAIT_S, error.wait_base_s * 2.0 ** (attempt - 1))  # noqa: S311
            if attempt >= settings.max_attempts or (deadline is not None and time.monotonic() + wait >= deadline):
                # What the service said in an earlier try says more than a last try that was cut off.
                raise refusal or ServiceUnreachableError(f"{error} (tried {attempt} times)") from error.__cause__
            _logger.info("%s %s: %s; trying again", request.signing_name, request.method, error)
        time.sleep(wait)
        attempt += 1


class _TryAgainError(Exception):
    """One try failed, and another may succeed."""

    def __init__(self, found: str, *, refusal: ServiceError | None = None, throttled: bool = False) -> None:
        super().__init__(found)
        self.refusal = refusal
        # botocore's standard mode: the base of the exponential wait is longer after throttling.
        self.wait_base_s = 1.0 if throttled else 0.05


def _send_once(request: AwsRequest, settings: AwsSettings, deadline: float | None) -> AwsResponse:
    url = urlsplit(request.url)
    if deadline is not None and time.monotonic() >= deadline:
        message = f"no whole answer from {url.netloc} in the time that was left"
        raise _TryAgainError(message)
    headers = signed_headers(
        request.method,
        url.netloc,
        url.path,
        request.headers,
        payload_hash=_payload_hash(request, url.scheme),
        service=request.signing_name,
        region=settings.region,
        credentials=read_credentials(),
    )
    place = url.scheme, url.hostname or "", url.port, settings.ca_bundle
    connection = _connection(*place)
    connection.end_at(deadline)
    try:
        answer, body = _exchange(connection, request, url.path, headers)
    except (OSError, HTTPException) as error:
        # The error's text may name the endpoint, or repeat what came.
        message = f"no answer from {url.netloc}: {type(error).__name__}"
        raise _TryAgainError(message) from error
    idle = _idle.setdefault(place, [])
    if len(idle) < _MAX_IDLE:
        idle.append(connection)
    else:
        connection.close()
    received = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status < 300:
        return AwsResponse(received, body)
    refusal = _refusal(answer.status, received, body)
    throttled = refusal.code in _THROTTLED or refusal.status == 429
    if throttled or refusal.status in _RETRIED_STATUS or refusal.code in _TRANSIENT:
        raise _TryAgainError(str(refusal), refusal=refusal, throttled=throttled)
    raise refusal


_idle: Final[dict[tuple[str, str, int | None, str | None], list[Connection]]] = {}
"""Open connections by place, kept so that the next call and the next invocation use them again."""


def _connection(scheme: str, host: str, port: int | None, ca_bundle: str | None) -> Connection:
    idle = _idle.get((scheme, host, port, ca_bundle), [])
    while idle:
        connection = idle.pop()
        if connection.can_be_used_again():
            return connection
        connection.close()
    return Connection(scheme, host, port, ca_bundle=ca_bundle)


def close_idle_connections() -> None:
    """Close what is kept for the next call."""
    while _idle:
        for connection in _idle.popitem()[1]:
            connection.close()


def _exchange(
    connection: Connection, request: AwsRequest, path: str, headers: dict[str, str]
) -> tuple[HTTPResponse, bytes]:
    """Send a request and read its answer; the connection is closed if that fails."""
    headers["User-Agent"] = "workmail-runtime"  # unsigned, as botocore leaves it: a proxy may change it
    if isinstance(request.body, io.RawIOBase):
        headers["Content-Length"] = str(request.body.seek(0, io.SEEK_END))
        request.body.seek(0)
    try:
        connection.request(request.method, path, request.body, headers)
        answer = connection.getresponse()
        return answer, _read(answer, answer.getheader("Content-Length"))
    except BaseException:
        connection.close()  # the rest of this answer must not become the beginning of the next one
        raise


def _payload_hash(request: AwsRequest, scheme: str) -> str:
    if not isinstance(request.body, io.RawIOBase):
        return sha256(request.body or b"").hexdigest()
    if request.checksum_header and scheme == "https":
        return UNSIGNED_PAYLOAD
    digest = sha256()
    request.body.seek(0)
    while chunk := request.body.read(_READ_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _read(answer: HTTPResponse, content_length: str | None) -> bytes:
    """Read an answer's body without a second copy of it: a message may be 40 MB (F16)."""
    stream = io.BytesIO()
    size, filled = None, 0
    if content_length is not None and content_length.isdecimal():
        # Digits that are too many for an int() are too many for us.
        size = int(content_length[:12])
        _check_length(size)
    while size is None or filled < size:
        chunk = answer.read(_READ_BYTES if size is None else min(_READ_BYTES, size - filled))
        if not chunk:
            break
        if size is not None and not filled:
            # All of the buffer at once, for growing it would copy it; but not on the word of a header alone.
            stream.seek(size - 1)
            stream.write(b"\0")
            stream.seek(0)
        stream.write(chunk)
        filled += len(chunk)
        _check_length(filled)
    if size is not None and filled < size:
        message = f"the connection ended after {filled} of {size} bytes"
        raise ConnectionError(message)
    if answer.read(1):  # an answer without a body is over only now
        message = f"the answer goes on after {filled} of {size} bytes"
        raise ConnectionError(message)
    return stream.getvalue()  # CPython hands the buffer over as it is


def _check_length(size: int) -> None:
    if size > MAX_ANSWER_BYTES:
        message = f"the answer has {size:,} bytes or more; at most {MAX_ANSWER_BYTES:,} are read (F16)"
        raise ServiceUnreachableError(message)


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
    """Read what a service said: rest-json as workmailmessageflow speaks it, or S3's XML."""
    code, message = headers.get("x-amzn-errortype", ""), ""
    answer: dict[str, Any] = {}
    body = body[:_MAX_ERROR_BYTES]
    if body.lstrip().startswith(b"<"):
        from xml.etree import ElementTree as ET

        try:
            root = ET.fromstring(body)  # noqa: S314 - short, and expat refuses what expands
            code, message = root.findtext("Code") or code, root.findtext("Message") or ""
        except (ET.ParseError, LookupError, ValueError):  # the latter two for its encoding
            pass
    else:
        import json

        try:
            found = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            found = {}
        if isinstance(found, dict):
            answer = found
            code = code or str(found.get("__type") or found.get("code") or "")
            message = str(found.get("message") or found.get("Message") or "")
    # The code may come as "namespace#Code:http://…".
    code = code.partition(":")[0].rpartition("#")[2]
    request_id = headers.get("x-amzn-requestid") or headers.get("x-amz-request-id")
    return ServiceError(code or f"HTTP {status}", message, status=status, request_id=request_id, answer=answer)
