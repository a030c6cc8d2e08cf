"""One JSON document posted to a webhook: over https only, in bounded time, and once unless it was not taken."""

from __future__ import annotations

import ssl
import time
from contextlib import closing
from http.client import HTTPException
from urllib.parse import urlsplit

from workmail_flow.record import Record
from workmail_rules.step_errors import StepError
from workmail_runtime.connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_RETRIED_STATUS: Final = frozenset({429, 500, 502, 503, 504})
_WAITS_S: Final = (0.3, 1.0)
"""The waits between the tries, unless the answer says longer."""

_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "workmail-rules"}

_MAX_ANSWER_BYTES: Final = 4 * 1024
"""How much of an answer is read; nothing in it is used."""


class WebhookError(StepError):
    """The webhook did not take the document; the text has neither its URL nor what it answered.

    Attributes:
        status: The HTTP status; None without an answer.
    """

    def __init__(self, found: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(f"the webhook {found}")


class _NotSentError(Exception):
    """There was no connection, so that nothing was sent."""


class _Webhook(Record):
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> _Webhook:
        text = url.strip()
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise WebhookError("has a URL with spaces or other characters that no URL has; correct it in the secret")
        try:
            parts = urlsplit(text)
            port = parts.port or 443
        except ValueError:
            raise WebhookError("has no URL that can be read; put one into the secret, as plain text") from None
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
            raise WebhookError("has no https URL without a user name; put one into the secret, as plain text")
        return cls(parts.hostname, port, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")


class _Answer(Record):
    status: int
    retry_after: str


def post_json(url: str, body: bytes, *, deadline: float) -> None:
    """Post a document; a redirect is not followed.

    It is posted again where it was not taken: without a connection, and after the answers 429 (when its Retry-After is
    over), 500, 502, 503 and 504. It is not posted again when there is no answer, since it may have been taken.

    Args:
        url: An https URL.
        body: JSON, encoded.
        deadline: The `time.monotonic()` at which to give up, whatever the webhook does.

    Raises:
        WebhookError: It was not taken.
    """
    webhook = _Webhook.of(url)
    waits = list(_WAITS_S)
    while True:
        try:
            answer = _post_once(webhook, body, deadline)
        except _NotSentError as error:
            problem, least_wait = WebhookError(f"cannot be reached: {error}"), 0.0
        else:
            if 200 <= answer.status < 300:
                return
            redirected = "; redirects are not followed" if 300 <= answer.status < 400 else ""
            problem = WebhookError(f"answered with status {answer.status}{redirected}", status=answer.status)
            if answer.status not in _RETRIED_STATUS:
                raise problem
            least_wait = _seconds(answer.retry_after)
        if not waits:
            raise problem
        wait = max(waits.pop(0), least_wait)
        if time.monotonic() + wait >= deadline:
            raise problem
        time.sleep(wait)


def _post_once(webhook: _Webhook, body: bytes, deadline: float) -> _Answer:
    with closing(Connection("https", webhook.host, webhook.port)) as connection:
        connection.end_at(deadline)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError:
            raise WebhookError("has a certificate that is not valid for its host") from None
        except (OSError, HTTPException) as error:  # its text may name the host, or repeat what a proxy said
            raise _NotSentError(type(error).__name__) from None
        try:
            # http.client sets Host and Content-Length, and follows no redirect.
            connection.request("POST", webhook.path, body, _HEADERS)
            response = connection.getresponse()
            response.read(_MAX_ANSWER_BYTES)
            return _Answer(response.status, response.getheader("Retry-After", ""))
        except TimeoutError:
            raise WebhookError("gave no whole answer in the time for it") from None
        except (OSError, HTTPException) as error:
            raise WebhookError(f"gave no answer that can be read: {type(error).__name__}") from None


def _seconds(retry_after: str) -> float:
    """Read a Retry-After: seconds, or a date (RFC 9110 section 10.2.3); 0 for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(text[:100]).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
