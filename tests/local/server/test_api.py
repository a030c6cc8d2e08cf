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
    local: WorkMailLocal, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, str]:
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
        ("POST", "/v1/messages?mailFrom=a@b.test", b"x", 400, "rcpt: found none"),
        ("POST", "/v1/messages?rcpt=a@b.test", b"x", 400, "mailFrom: found none"),
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
    answered, answer = request(workmail_local, method, path, {}, body)
    assert (answered, reason in json.loads(answer)["error"]["message"]) == (status, True)


@pytest.mark.fact("F4", "F5")
def test_a_rule_workmail_would_not_take_is_refused_and_the_others_stay(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="good")
    with pytest.raises(ApiFailedError, match=r"rules conflict(.|\n)*senders\[0\]"):
        workmail_local.deploy_handler(HANDLERS / "replies", name="bad", senders=("a+b@other.test",))
    assert {one.rule for one in workmail_local.send(MESSAGE).outcomes} == {"good"}
