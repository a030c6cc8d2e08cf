"""The HTTP API, as a page or a script uses it."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from workmail_local.server.client import ApiFailedError

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "handlers"
MESSAGE = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nhi\r\n"


def request(
    local: WorkMailLocal, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, str]:
    """Ask as the developer, unless the headers say otherwise."""
    headers = {"Authorization": f"Bearer {local.daemon.ready['token']}"} | (headers or {})
    address = urlsplit(local.daemon.ready["api"])
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "https://evil.example:8080"}]
)
def test_no_page_of_another_site_reaches_it(workmail_local: WorkMailLocal, headers: dict[str, str]) -> None:
    status, body = request(workmail_local, "GET", "/v1/status", headers)
    assert (status, "loopback only" in body) == (403, True)


def test_a_page_on_loopback_reaches_it(workmail_local: WorkMailLocal) -> None:
    assert request(workmail_local, "GET", "/v1/status", {"Origin": "http://localhost:3000"})[0] == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer guessed", "Bearer tökén", "Basic d29ya21haWw6"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/status"), ("POST", "/v1/reset"), ("GET", "/v1/nothing")])
def test_without_the_token_nothing_is_answered_or_done(
    workmail_local: WorkMailLocal, method: str, path: str, authorization: str
) -> None:
    kept = workmail_local.send(MESSAGE).id
    status, body = request(workmail_local, method, path, {"Authorization": authorization})
    reason = "this API needs its token: use the address that `workmail-flow local status` prints"
    assert (status, json.loads(body)) == (401, {"error": {"message": reason}})
    assert workmail_local.daemon.client.message(kept)["id"] == kept


def test_a_browser_brings_the_token_in_the_address_it_opens_and_nowhere_else(workmail_local: WorkMailLocal) -> None:
    token = workmail_local.daemon.ready["token"]
    without = {"Authorization": ""}
    assert request(workmail_local, "GET", f"/v1/status?token={token}", without)[0] == 200
    assert request(workmail_local, "GET", f"/v1/status?token={token}x", without)[0] == 401
    assert request(workmail_local, "POST", f"/v1/reset?token={token}", without)[0] == 401


def test_the_status_repeats_no_secret(workmail_local: WorkMailLocal) -> None:
    ready = workmail_local.daemon.ready
    _, status = request(workmail_local, "GET", "/v1/status")
    for secret in ("token", "submission_password", "aws_access_key_id"):
        assert ready[secret] not in status


def test_what_happens_is_streamed(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    events: queue.Queue[dict[str, object]] = queue.Queue()

    def listen() -> None:
        with suppress(OSError):  # the end of the local WorkMail
            for event in workmail_local.daemon.client.events():
                events.put(event)

    threading.Thread(target=listen, daemon=True).start()
    while events.empty():  # until the stream is open, nobody hears of a reload
        workmail_local.daemon.client.post("/v1/deployments/reload")
    sent = workmail_local.send(MESSAGE)
    until_finished = iter(lambda: events.get(timeout=30), {"type": "finished", "message": sent.id})
    assert [event["type"] for event in until_finished if event.get("message") == sent.id] == ["accepted", "delivered"]


def test_lists_go_back_page_by_page(workmail_local: WorkMailLocal) -> None:
    sent = [workmail_local.send(MESSAGE).id for _ in range(3)]
    client = workmail_local.daemon.client
    first = client.get("/v1/messages", limit=2)["messages"]
    second = client.get("/v1/messages", limit=2, before=first[-1]["seq"])["messages"]
    assert [message["id"] for message in (*first, *second)] == sent[::-1]
    assert [one["address"] for one in client.get("/v1/mailboxes")["mailboxes"]] == ["bob@example.com"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "/v1/messages?mailFrom=a@b.test", b"x", 400, "rcpt: found none, and To, Cc and Bcc name no address"),
        ("POST", "/v1/messages?rcpt=a@b.test&mailFrom=&direction=up", b"x", 400, "direction: found 'up'"),
        ("GET", "/v1/messages?limit=many", b"", 400, "limit: found 'many'; allowed is a whole number"),
        ("GET", "/v1/messages/unknown", b"", 404, "there is no message unknown"),
        ("GET", "/v1/nothing", b"", 404, "GET /v1/nothing: Not Found"),
        ("POST", "/v1/status", b"", 405, "POST /v1/status: Method Not Allowed"),
        ("PUT", "/v1/faults", b"{}", 400, "a fault plan is a list of faults"),
        ("POST", "/v1/rules/test", b"[]", 400, "the body must be a JSON object"),
    ],
)
def test_what_cannot_be_answered_says_why(
    workmail_local: WorkMailLocal, method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    answered, answer = request(workmail_local, method, path, body=body)
    assert (answered, reason in json.loads(answer)["error"]["message"]) == (status, True)


@pytest.mark.fact("F4", "F5")
def test_a_rule_workmail_would_not_take_is_refused_and_the_others_stay(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="good")
    with pytest.raises(ApiFailedError, match=r"rules conflict(.|\n)*senders\[0\]"):
        workmail_local.deploy_handler(HANDLERS / "replies", name="bad", senders=("a+b@other.test",))
    assert {one.rule for one in workmail_local.send(MESSAGE).outcomes} == {"good"}
