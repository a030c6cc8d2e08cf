"""One signed HTTP request to AWS, by botocore's signer and connections and without its client.

A boto3 client costs a cold start more than everything else a handler does: it loads the models of its service, of
endpoints and of retries. This module does the rest: sign, send, read into one buffer, try again.
"""

from __future__ import annotations

import io
import logging
import os
import random
import threading
import time
from functools import cache

from workmail_flow.limits import MAX_MIME_BYTES
from workmail_flow.record import Record
from workmail_runtime.aws_settings import read_credentials
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.httpsession import URLLib3Session

    from workmail_runtime.aws_settings import AwsSettings

_logger = logging.getLogger("workmail_runtime")

TIMEOUT_S: Final = 60.0
"""How long to wait for a connection, or for its next byte: boto3's own limit."""

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


class AwsRequest(Record):
    """A request before it is signed.

    Args:
        method: The HTTP method.
        url: The whole URL, its path encoded.
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
            return _send_by(deadline, request, settings)
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


def _send_by(deadline: float | None, request: AwsRequest, settings: AwsSettings) -> AwsResponse:
    """Send once, in a thread that is left alone at the deadline.

    A timeout of the socket is not enough: it starts again with each byte. An answer that drips in, head or body, would
    hold the handler until Lambda ends it.
    """
    if deadline is None:
        return _send_once(request, settings, None)
    outcome: list[AwsResponse | BaseException] = []

    def run() -> None:
        try:
            outcome.append(_send_once(request, settings, deadline))
        except BaseException as error:
            outcome.append(error)

    left_s = deadline - time.monotonic()
    if left_s > 0:
        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        worker.join(left_s)
    if not outcome:
        message = f"no whole answer from {_host(request.url)} in the time that was left"
        raise _TryAgainError(message)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _send_once(request: AwsRequest, settings: AwsSettings, deadline: float | None) -> AwsResponse:
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.exceptions import HTTPClientError
    from urllib3.exceptions import HTTPError

    try:
        response = _http_session(settings.ca_bundle, _proxies(request.url)).send(_signed(request, settings, deadline))
        try:
            body = _read(response.raw, response.headers.get("content-length"))
        except BaseException:
            response.raw.close()  # the rest of this answer must not become the beginning of the next one
            raise
    except (HTTPClientError, NoConnectionError, HTTPError, OSError) as error:
        # The error's text names the endpoint and no content.
        raise _TryAgainError(f"no answer from {_host(request.url)}: {type(error).__name__}") from error
    headers = {name.lower(): value for name, value in response.headers.items()}
    if response.status_code < 300:
        return AwsResponse(headers, body)
    refusal = _refusal(response.status_code, headers, body)
    throttled = refusal.code in _THROTTLED or refusal.status == 429
    if throttled or refusal.status in _RETRIED_STATUS or refusal.code in _TRANSIENT:
        raise _TryAgainError(str(refusal), refusal=refusal, throttled=throttled)
    raise refusal


def _signed(request: AwsRequest, settings: AwsSettings, deadline: float | None) -> AWSPreparedRequest:
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest

    if request.body is not None and not isinstance(request.body, bytes):
        request.body.seek(0)
    unsigned = AWSRequest(
        method=request.method, url=request.url, headers=dict(request.headers), data=request.body, stream_output=True
    )
    if request.checksum_header:
        unsigned.context["checksum"] = {"request_algorithm": {"in": "header", "name": request.checksum_header}}
        unsigned.context["has_streaming_input"] = True
    if deadline is not None:
        # Ends the thread of `_send_by` soon after the deadline. Older releases of botocore do not know this key.
        unsigned.context["read_timeout"] = min(TIMEOUT_S, max(deadline - time.monotonic(), 0.1))
    signer = S3SigV4Auth if request.signing_name == "s3" else SigV4Auth
    signer(read_credentials(), request.signing_name, settings.region).add_auth(unsigned)
    prepared: AWSPreparedRequest = unsigned.prepare()
    return prepared


@cache
def _http_session(ca_bundle: str | None, proxies: tuple[tuple[str, str], ...]) -> URLLib3Session:
    """Return the pool of connections, kept so that warm invocations use them again."""
    from botocore.httpsession import URLLib3Session

    # The stubs know fewer types than botocore's own endpoints pass.
    options: dict[str, Any] = {"verify": ca_bundle or True, "proxies": dict(proxies), "timeout": (TIMEOUT_S, TIMEOUT_S)}
    return URLLib3Session(**options)


def _proxies(url: str) -> tuple[tuple[str, str], ...]:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ()
    from botocore.utils import get_environ_proxies

    return tuple(sorted(get_environ_proxies(url).items()))


def _read(raw: Any, content_length: str | None) -> bytes:
    """Read a response's body without a second copy of it: a message may be 40 MB (F16)."""
    stream = io.BytesIO()
    size, filled = None, 0
    if content_length is not None and content_length.isdecimal():
        # Digits that are too many for an int() are too many for us.
        size = int(content_length[:12])
        _check_length(size)
    while size is None or filled < size:
        chunk = raw.read(_READ_BYTES if size is None else min(_READ_BYTES, size - filled))
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
    raw.release_conn()  # an empty body is never read, and would keep the connection
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


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
