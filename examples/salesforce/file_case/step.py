"""Files a message as a case in Salesforce, over its REST API with the OAuth 2.0 client credentials flow."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import urllib3

from workmail_rules import Message, StepError
from workmail_rules.secret import forget_secret, read_secret
from workmail_rules.visible_text import part_text, readable_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES = "/services/data/v62.0/sobjects/Case"
TOKENS = "/services/oauth2/token"

TOKEN_AGE_S = 10 * 60
"""How old a token may be; the shortest session that Salesforce allows is 15 minutes."""

MAX_SUBJECT, MAX_DESCRIPTION, MAX_EMAIL = 255, 32_000, 80
"""Characters of a case's fields."""

MAX_ANSWER_BYTES = 64 * 1024
_CODE = re.compile(r"[A-Za-z_]{1,60}")
_CASE_ID = re.compile(r"[A-Za-z0-9]{15,18}")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_tokens: dict[str, tuple[float, str]] = {}
"""By the secret's ARN: when it was given, and the token."""


def run(message: Message, *, secret: str, sender: bool) -> None:
    """File a case, once.

    Args:
        message: The message.
        secret: ARN of the secret: JSON with `url`, `client_id` and `client_secret`.
        sender: Whether the case has the sender's address, to which answers go.
    """
    # Salesforce may answer a case by mail: an answer to that must not be another case.
    automatic = (message.parsed.header("Auto-Submitted") or "no").strip().lower()
    if automatic != "no" or not message.event.mail_from:
        message.note("no case for automatic mail")
        return
    case = {
        "Origin": "Email",
        "Subject": _cut(" ".join((message.parsed.subject or "").split()), MAX_SUBJECT),
        "Description": _cut(_text(message), MAX_DESCRIPTION),
    }
    if sender and len(message.event.mail_from) <= MAX_EMAIL:
        case["SuppliedEmail"] = message.event.mail_from
    message.note(f"case {message.once('case', lambda: _file(message, secret, case))}")


def _file(message: Message, secret: str, case: Mapping[str, str]) -> str:
    body = json.dumps(case).encode()
    status, answer = _post_case(message, secret, body)
    if status == 401:  # the session ended before the token was old
        _tokens.pop(secret, None)
        status, answer = _post_case(message, secret, body)
    if status == 401:
        _tokens.pop(secret, None)
    if status != 201:
        raise _refused("the case", status, answer)
    found = answer.get("id") if isinstance(answer, dict) else None
    # Salesforce has the case, whatever it says of it: to fail would file another.
    return found if isinstance(found, str) and _CASE_ID.fullmatch(found) else "without an id"


def _post_case(message: Message, secret: str, body: bytes) -> tuple[int, Any]:
    url, client = _client(read_secret(secret, deadline=message.deadline))
    given, token = _tokens.get(secret, (float("-inf"), ""))
    if time.monotonic() - given > TOKEN_AGE_S:
        form = urlencode({"grant_type": "client_credentials", **client}).encode()
        status, answer = _post(message, url + TOKENS, form, {"Content-Type": "application/x-www-form-urlencoded"})
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if status != 200 or not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,4096}", token):
            forget_secret(secret)  # it may have been replaced
            raise _refused("the client", status, answer)
        _tokens[secret] = time.monotonic(), token
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    return _post(message, url + CASES, body, headers)


def _post(message: Message, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    """Return the status and the decoded answer, None if it is no JSON."""
    try:
        # No retries here: Lambda tries again. Nor redirects: what is sent is for this host only.
        with (
            urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=message.time_left_s)) as http,
            http.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False) as answer,
        ):
            status = answer.status
            content = answer.read(MAX_ANSWER_BYTES, decode_content=False)
    except urllib3.exceptions.HTTPError as error:  # its text may hold the host
        text = f"Salesforce gave no answer: {type(error).__name__}"
        raise StepError(text) from None
    try:
        return status, json.loads(content)
    except ValueError:
        return status, None


def _refused(what: str, status: int, answer: Any) -> StepError:
    """Return an error with the code that Salesforce gave, not with its text, which may quote the message."""
    first = answer[0] if isinstance(answer, list) and answer else answer
    codes = [first.get("errorCode"), first.get("error")] if isinstance(first, dict) else []
    code = next((code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)), "no code")
    return StepError(f"Salesforce did not take {what}: status {status}, {code}")


def _client(text: str) -> tuple[str, dict[str, str]]:
    try:
        read = json.loads(text)
        return _safe(read["url"]), {name: read[name] for name in ("client_id", "client_secret")}
    except (ValueError, KeyError, TypeError, AttributeError):
        problem = "the secret is no JSON with an https url, a client_id and a client_secret; put it there"
        raise StepError(problem) from None


def _safe(url: str) -> str:
    """Return a URL without a slash at its end; it is https, or of this machine for trying it out.

    Raises:
        ValueError: It is another.
    """
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
        raise ValueError
    return parts.geturl()


def _text(message: Message) -> str:
    """Return what a reader sees: the plain text, or without one that of the HTML."""
    parts = sorted(readable_parts(message.parsed), key=lambda part: part.is_html)
    texts = (part_text(part).strip() for part in parts)
    return next((text for text in texts if text), "")


def _cut(text: str, characters: int) -> str:
    """Return the beginning without controls; Salesforce counts in UTF-16."""
    units = _CONTROLS.sub("", text).encode("utf-16-le", "replace")
    return units[: 2 * characters].decode("utf-16-le", "ignore")
