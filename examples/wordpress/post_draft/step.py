"""Posts a message as a draft to WordPress, over its REST API with an application password."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import urllib3

from workmail_rules import Message, StepError
from workmail_rules.secret import forget_secret, read_secret
from workmail_rules.visible_text import part_text, readable_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CHARACTERS = 100_000
"""Of the text; the rest is left out."""

MAX_TITLE_CHARACTERS = 200
MAX_ANSWER_BYTES = 256 * 1024
"""How much of an answer is read: a draft comes back with its content."""

# Not in a text: MySQL or an editor may stumble over them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def run(message: Message, *, secret: str) -> None:
    """Post the message as a draft, once, and drop the mail."""
    draft = message.once("draft", lambda: _post(message, secret))
    message.note(f"draft {draft or 'without an id'}")
    message.drop()


def _post(message: Message, secret: str) -> int | None:
    """Return the id of the message's draft; None if WordPress took it and answered without one."""
    post = {
        "status": "draft",
        "title": as_html(" ".join((message.parsed.subject or "").split())[:MAX_TITLE_CHARACTERS]) or "No subject",
        "content": as_paragraphs(_text(message)),
    }
    if message.event.invocation_id is None:
        return _id(_request(message, secret, "POST", body=post))
    # An earlier attempt may have posted the draft and not got the answer (E7). The slug finds it.
    slug = "mail-" + re.sub(r"[^a-z0-9]+", "-", message.event.invocation_id.lower())
    found = _request(message, secret, "GET", query={"slug": slug, "status": "any", "_fields": "id"})
    if isinstance(found, list) and found:
        return _id(found[0])
    return _id(_request(message, secret, "POST", body={**post, "slug": slug}))


def _text(message: Message) -> str:
    """Return what a reader sees: the plain text, or without one that of the HTML."""
    parts = sorted(readable_parts(message.parsed), key=lambda part: part.is_html)
    texts = (part_text(part).strip() for part in parts)
    return next((text for text in texts if text), "")[:MAX_CHARACTERS]


def as_paragraphs(text: str) -> str:
    """Return plain text as HTML: a paragraph per block of lines."""
    blocks = re.split(r"\n{2,}", re.sub(r"[ \t]+\n", "\n", text.strip()))
    return "\n".join(f"<p>{as_html(block).replace(chr(10), '<br>')}</p>" for block in blocks if block)


def as_html(text: str) -> str:
    """Return plain text as HTML of which WordPress makes nothing else.

    Besides markup that is shortcodes, which begin with a bracket, and addresses of the web that stand alone, which it
    replaces by what it finds there.
    """
    return escape(_CONTROLS.sub("", text)).replace("[", "&#91;").replace("]", "&#93;").replace("://", "&#58;//")


def _request(
    message: Message, secret: str, method: str, *, query: Mapping[str, str] | None = None, body: object = None
) -> Any:
    """Return what the posts answered, decoded; None if it is no JSON."""
    site, user, password = _credentials(read_secret(secret, deadline=message.deadline))
    headers = {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    url = f"{site}/wp-json/wp/v2/posts{'?' if query else ''}{urlencode(query or {})}"
    try:
        # No retries here: WorkMail tries again. Nor redirects: the password is for this site only.
        with (
            urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=message.time_left_s)) as http,
            http.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                redirect=False,
                preload_content=False,
            ) as answer,
        ):
            status = answer.status
            content = answer.read(MAX_ANSWER_BYTES, decode_content=False)
    except urllib3.exceptions.HTTPError as error:  # its text may hold the address of the site
        text = f"WordPress gave no answer: {type(error).__name__}"
        raise StepError(text) from None
    if status in (401, 403):
        forget_secret(secret)  # it may have been replaced
    if not 200 <= status < 300:
        text = f"WordPress answered {method} with status {status}"
        raise StepError(text)
    try:
        return json.loads(content)
    except ValueError:
        return None


def _credentials(text: str) -> tuple[str, str, str]:
    try:
        read = json.loads(text)
        return _safe(read["site"]), read["user"], read["password"]
    except (ValueError, KeyError, TypeError, AttributeError):
        problem = "the secret is no JSON with an https site, a user and a password; put it there"
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


def _id(answer: Any) -> int | None:
    found = answer.get("id") if isinstance(answer, dict) else None
    return found if isinstance(found, int) else None
