"""NotifyChat as a plain function: which messages are posted, once, and with a URL from a secret."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.rules.stub_services import StubServices, new_message, running_services
from tests.unit.rules.webhook_server import WebhookAnswer, WebhookServer, trusted_webhook
from workmail_rules.notify_chat import run
from workmail_rules.secret import forget_secret
from workmail_rules.webhook import WebhookError
from workmail_runtime.content import MessageContent
from workmail_runtime.event import AsynchronousEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:Webhook-AbCdEf"
SLACK: dict[str, Any] = {"chat": "SLACK", "text": "New mail", "show": (("subject", "Subject"), ("sender", "Sender"))}
CONFIGURATION: dict[str, Any] = {
    "webhook": SECRET,
    "document": SLACK,
    "subject_words": (),
    "sender_words": (),
    "header_words": {},
}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServices]:
    with running_services(monkeypatch) as services:
        yield services


@pytest.fixture
def webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: StubServices) -> Iterator[WebhookServer]:
    """A webhook whose URL is in the secret."""
    with trusted_webhook(tmp_path, monkeypatch) as server:
        forget_secret(SECRET)
        services.answer("GetSecretValue", {"SecretString": server.url})
        yield server


def test_a_post_shows_what_was_asked_for(webhook: WebhookServer, services: StubServices) -> None:
    message = new_message()
    run(message, **CONFIGURATION)
    (document,) = webhook.documents
    assert [each["elements"][1]["text"] for each in document["blocks"][1]["elements"]] == [
        "Secret merger",
        "alice@partner.example",
    ]
    assert services.calls == [("GetSecretValue", {"SecretId": SECRET})]
    assert message.notes == ["posted"]


def test_a_post_shows_nothing_of_the_message_unless_asked_for(webhook: WebhookServer) -> None:
    run(new_message(), **{**CONFIGURATION, "document": {"chat": "TEAMS", "text": "New mail", "show": ()}})
    (document,) = webhook.documents
    (attachment,) = document["attachments"]
    assert attachment["content"]["body"] == [{"type": "TextBlock", "text": "New mail", "wrap": True}]


def test_a_document_of_ones_own_is_posted(webhook: WebhookServer) -> None:
    document = {
        "chat": "WEBHOOK",
        "body": {"content": "{direction}: {subject}", "tags": ("mail",)},
        "markup": "MARKDOWN",
    }
    run(new_message(subject="**now**"), **{**CONFIGURATION, "document": document})
    assert webhook.documents == [{"content": "INBOUND: \\*\\*now\\*\\*", "tags": ["mail"]}]


@pytest.mark.fact("E7")
def test_a_retry_posts_nothing_more(webhook: WebhookServer) -> None:
    run(new_message(), **CONFIGURATION)
    run(new_message(), **CONFIGURATION)
    assert len(webhook.posts) == 1


@pytest.mark.fact("T4")
def test_it_runs_in_an_asynchronous_rule_and_waits_longer_there(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(429, {"Retry-After": "6"}), WebhookAnswer())
    started = time.monotonic()
    run(new_message(kind=AsynchronousEvent, left_s=20), **CONFIGURATION)
    assert (len(webhook.posts), time.monotonic() - started > 6) == (2, True)


def test_mail_that_waits_does_not_wait_long_for_a_chat(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(429, {"Retry-After": "6"}))
    started = time.monotonic()
    with pytest.raises(WebhookError, match="status 429"):
        run(new_message(left_s=20), **CONFIGURATION)
    assert time.monotonic() - started < 3


@pytest.mark.fact("E7")
def test_a_post_that_was_refused_is_made_by_the_retry(webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(400), WebhookAnswer())
    with pytest.raises(WebhookError, match="status 400"):
        run(new_message(), **CONFIGURATION)
    run(new_message(), **CONFIGURATION)
    assert len(webhook.posts) == 2


@pytest.mark.parametrize(("status", "reads"), [(400, 1), (401, 2), (403, 2), (404, 2), (410, 2)])
def test_the_url_is_read_again_once_it_was_refused(
    webhook: WebhookServer, services: StubServices, status: int, reads: int
) -> None:
    webhook.answer(WebhookAnswer(status), WebhookAnswer())
    with pytest.raises(WebhookError):
        run(new_message(), **CONFIGURATION)
    run(new_message(), **CONFIGURATION)
    assert services.operations == ["GetSecretValue"] * reads


@pytest.mark.parametrize(
    ("subject", "words", "posts"),
    [
        ("Your INVOICE, again", ("urgent", "invoice"), 1),
        ("Invoices", ("invoice",), 0),
        ("re: voice", ("invoice",), 0),
        ("final  notice", ("final notice",), 0),
        ("(final notice)", ("final notice",), 1),
        ("STRASSE", ("straße",), 1),
        ("cafe\u0301", ("café",), 1),
        ("a.b", ("a.b",), 1),
        ("axb", ("a.b",), 0),
        ("C++!", ("c++",), 1),
        ("", ("invoice",), 0),
        ("anything", (), 1),
    ],
)
def test_words_in_the_subject(webhook: WebhookServer, subject: str, words: tuple[str, ...], posts: int) -> None:
    run(new_message(subject=subject), **{**CONFIGURATION, "subject_words": words})
    assert len(webhook.posts) == posts


@pytest.mark.fact("E3")
@pytest.mark.parametrize(("word", "posts"), [("alice", 1), ("partner.example", 1), ("bob", 1), ("example.org", 0)])
def test_words_in_the_senders(webhook: WebhookServer, word: str, posts: int) -> None:
    message = new_message(sender={"address": "bob@corp.example"})
    run(message, **{**CONFIGURATION, "sender_words": (word,)})
    assert len(webhook.posts) == posts


RAW = (
    b"Received: from x\r\nX-Tag: first\r\nSubject: =?utf-8?q?Rechnung_f=C3=BCr_Sie?=\r\n"
    b"x-tag:\r\n second\r\n\r\nX-Tag: body\r\n"
)


@pytest.mark.parametrize(
    ("words", "posts"),
    [
        ({"X-Tag": ("second",)}, 1),
        ({"X-Tag": ("body",)}, 0),
        ({"subject": ("für",)}, 1),
        ({"X-Tag": ("first",), "Subject": ("rechnung",)}, 1),
        ({"X-Tag": ("first",), "Subject": ("invoice",)}, 0),
        ({"X-None": ("first",)}, 0),
    ],
)
def test_words_in_the_header(webhook: WebhookServer, words: dict[str, tuple[str, ...]], posts: int) -> None:
    message = new_message()
    message._conversation._content = MessageContent(message.event, RAW)
    run(message, **{**CONFIGURATION, "header_words": words})
    assert len(webhook.posts) == posts


def test_without_its_words_nothing_is_read_or_claimed(webhook: WebhookServer, services: StubServices) -> None:
    message = new_message()
    run(message, **{**CONFIGURATION, "subject_words": ("invoice",)})
    assert (webhook.posts, services.calls, services.done) == ([], [], {})
    assert message.notes == ["the message has none of the words"]


def test_a_message_without_the_words_loads_no_tls() -> None:
    script = "import sys, workmail_rules.notify_chat; print({'ssl', 'http.client', 'botocore'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
