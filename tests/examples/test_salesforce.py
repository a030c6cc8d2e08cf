"""The Salesforce example, deployed, against a server that gives tokens and takes cases as Salesforce does."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.constructs.steps.installed_wheel import offer_installed
from tests.examples.own_steps import EXAMPLES, SECRET, import_step, know_secret, new_message, put_secret
from tests.examples.protocol_server import Answer, ProtocolServer, Request, running
from workmail_local.testing.workmail_local import WorkMailLocal
from workmail_rules import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

pytestmark = pytest.mark.xdist_group("example-salesforce")

APP = EXAMPLES / "salesforce"
REQUEST = APP / "messages" / "request.eml"
CLIENT = {"client_id": "3MVG9.consumer", "client_secret": "s3cr&t+value"}
TOKENS, CASES = "/services/oauth2/token", "/services/data/v62.0/sobjects/Case"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


class Salesforce:
    """The cases of an organization, and the tokens that are valid for them."""

    def __init__(self) -> None:
        self.cases: list[dict[str, Any]] = []
        self.tokens: list[str] = []

    def __call__(self, request: Request) -> Answer:
        if request.path == TOKENS:
            if request.form != {"grant_type": ["client_credentials"]} | {name: [CLIENT[name]] for name in CLIENT}:
                return Answer(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
            self.tokens.append(f"00D!token.{len(self.tokens)}")
            return Answer(200, {"access_token": self.tokens[-1], "token_type": "Bearer", "instance_url": "https://x"})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Answer(401, EXPIRED)
        if request.path != CASES:
            return Answer(404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
        self.cases.append(request.json)
        return Answer(201, {"id": f"500000000000{len(self.cases):03}AAA", "success": True, "errors": []})

    def end_sessions(self) -> None:
        self.tokens = ["ended"]


@pytest.fixture(scope="module")
def salesforce() -> Salesforce:
    return Salesforce()


@pytest.fixture(scope="module")
def server(salesforce: Salesforce) -> Iterator[ProtocolServer]:
    with running(salesforce) as server:
        yield server


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, server: ProtocolServer) -> Iterator[WorkMailLocal]:
    folder = tmp_path_factory.mktemp("salesforce")
    with pytest.MonkeyPatch.context() as patch:
        offer_installed("urllib3", folder / "wheels", patch)
        # Faster, so that Lambda's retries after a minute and two come within seconds.
        with WorkMailLocal.running(folder / "state", time_scale=60) as local:
            local.deploy_app(APP)
            put_secret(local, {"url": server.url, **CLIENT})
            yield local


@pytest.fixture
def local(deployed: WorkMailLocal, server: ProtocolServer, salesforce: Salesforce) -> WorkMailLocal:
    server.instead.clear()
    server.requests.clear()
    salesforce.cases.clear()
    deployed.clear()
    return deployed


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch, server: ProtocolServer, salesforce: Salesforce) -> ModuleType:
    """The step as a plain function, which has no token yet."""
    server.instead.clear()
    server.requests.clear()
    salesforce.cases.clear()
    know_secret(monkeypatch, {"url": server.url, **CLIENT})
    step: ModuleType = import_step(monkeypatch, APP / "file_case")
    step._tokens.clear()
    return step


@pytest.mark.fact("T4", "R10")
def test_a_message_becomes_a_case_and_is_delivered(local: WorkMailLocal, salesforce: Salesforce) -> None:
    sent = local.send(REQUEST)

    assert sent.succeeded, sent.logs
    assert sent.actions == {"support@example.com": "DEFAULT"}
    assert len(local.inbox("support@example.com")) == 1
    assert salesforce.cases == [
        {
            "Origin": "Email",
            "Subject": "My order does not arrive",
            "Description": "Hello,\n\nwhere is order 4711?",
            "SuppliedEmail": "carol@example.net",
        }
    ]
    assert "case 500000000000001AAA" in sent.logs
    assert [word for word in ("carol", "order", "00D!", CLIENT["client_secret"]) if word in sent.logs] == []


@pytest.mark.fact("E7")
def test_a_case_that_failed_is_filed_by_lambdas_retry(
    local: WorkMailLocal, server: ProtocolServer, salesforce: Salesforce
) -> None:
    limit = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded for carol@example.net"}]
    server.instead = [lambda _: Answer(403, limit)] * 2  # whether or not a token is asked for first

    sent = local.send(REQUEST)

    assert len(sent.attempts) > 1
    assert (sent.succeeded, len(salesforce.cases)) == (True, 1)
    assert "status 403, REQUEST_LIMIT_EXCEEDED" in sent.logs
    assert "carol" not in sent.logs


def test_what_salesforce_does_not_take_is_kept_in_the_queue(local: WorkMailLocal, server: ProtocolServer) -> None:
    server.instead = [lambda _: Answer(503, b"<h1>maintenance</h1>")] * 1000

    sent = local.send(REQUEST)

    sqs = local.client("sqs")
    (queue,) = sqs.list_queues()["QueueUrls"]
    (kept,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert (sent.succeeded, sent.actions) == (False, {"support@example.com": "DEFAULT"})
    assert json.loads(kept["Body"])["requestPayload"]["messageId"] == sent.events[0]["messageId"]


def test_a_token_is_used_again_until_it_is_old_or_refused(
    step: ModuleType, server: ProtocolServer, salesforce: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    def file() -> list[str]:
        server.requests.clear()
        step.run(new_message(REQUEST.read_bytes()), secret=SECRET, sender=False)
        return [each.path for each in server.requests]

    assert file() == [TOKENS, CASES]
    assert file() == [CASES]
    salesforce.end_sessions()
    assert file() == [CASES, TOKENS, CASES]
    monkeypatch.setattr(step, "TOKEN_AGE_S", 0)
    assert file() == [TOKENS, CASES]
    assert [each.keys() for each in salesforce.cases] == [{"Origin", "Subject", "Description"}] * 4


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([Answer(400, {"error": "invalid_client"})], "did not take the client: status 400, invalid_client"),
        ([Answer(200, {"access_token": "a\nb"})], "did not take the client: status 200, no code"),
        ([Answer(200, b"no JSON")], "did not take the client: status 200, no code"),
        ([Answer(302, headers={"Location": "/"})], "did not take the client: status 302, no code"),
        ([Answer(raw=b"no HTTP")], "gave no answer: "),
        ([Answer(200, {"access_token": "t"}), Answer(429)], "did not take the case: status 429, no code"),
        ([Answer(200, {"access_token": "t"}), Answer(503)], "did not take the case: status 503, no code"),
        ([Answer(200, {"access_token": "t"}), Answer(400, [{"errorCode": "a b"}])], "status 400, no code"),
        ([Answer(200, {"access_token": "t"}), Answer(raw=b"")], "gave no answer: ProtocolError"),
        ([Answer(200, {"access_token": each}) for each in "tu"], "did not take the case: status 200, no code"),
        ([Answer(raw=b"HTTP/1.1 200 OK", byte_s=1)], "gave no answer: ReadTimeoutError"),
    ],
)
def test_what_failed_is_said_without_content(
    step: ModuleType, server: ProtocolServer, answers: list[Answer], problem: str
) -> None:
    server.answer_next(*answers)
    started = time.monotonic()

    with pytest.raises(StepError, match=problem):
        step.run(new_message(REQUEST.read_bytes(), left_s=0.5), secret=SECRET, sender=True)

    assert time.monotonic() - started < 5


def test_a_session_that_is_refused_twice_fails(step: ModuleType, server: ProtocolServer) -> None:
    token = Answer(200, {"access_token": "t"})
    server.answer_next(token, Answer(401, EXPIRED), token, Answer(401, EXPIRED))

    with pytest.raises(StepError, match="did not take the case: status 401, INVALID_SESSION_ID"):
        step.run(new_message(REQUEST.read_bytes()), secret=SECRET, sender=True)


def test_a_case_that_was_taken_counts_whatever_the_answer_says(step: ModuleType, server: ProtocolServer) -> None:
    server.answer_next(Answer(200, {"access_token": "t"}), Answer(201, b"no JSON"))
    message = new_message(REQUEST.read_bytes())

    step.run(message, secret=SECRET, sender=True)

    assert message.notes == ["case without an id"]


@pytest.mark.parametrize("header", ["auto-replied", "auto-generated; owner-email=x"])
def test_automatic_mail_makes_no_case(step: ModuleType, server: ProtocolServer, header: str) -> None:
    automatic = f"Auto-Submitted: {header}\r\n".encode() + REQUEST.read_bytes()

    step.run(new_message(automatic), secret=SECRET, sender=True)
    step.run(new_message(REQUEST.read_bytes(), mail_from=""), secret=SECRET, sender=True)

    assert server.requests == []


def test_long_texts_are_cut_as_salesforce_counts(step: ModuleType, salesforce: Salesforce) -> None:
    header = "Subject: x\N{GRINNING FACE}".encode() + "\N{GRINNING FACE}".encode() * 300
    body = "\N{GRINNING FACE}\x00".encode() * 40_000
    raw = header + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body

    step.run(new_message(raw), secret=SECRET, sender=True)

    (case,) = salesforce.cases
    assert case["Description"] == "\N{GRINNING FACE}" * 16_000
    assert case["Subject"] == "x" + "\N{GRINNING FACE}" * 127


@pytest.mark.parametrize("value", [{"url": "http://x.my.salesforce.com", **CLIENT}, {"url": "https://x"}, "generated"])
def test_a_secret_of_another_form_is_refused(step: ModuleType, monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    know_secret(monkeypatch, value)

    with pytest.raises(StepError, match="the secret is no JSON with an https url, a client_id and a client_secret"):
        step.run(new_message(REQUEST.read_bytes()), secret=SECRET, sender=True)
