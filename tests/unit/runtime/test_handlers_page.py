"""The handlers of docs/handlers.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import workmail_runtime
from tests.unit.runtime.conftest import Answer, StubAws
from tests.unit.runtime.load_event import load_event
from tests.unit.runtime.test_idempotency import CONTEXT, MemoryStore
from workmail_runtime import content_errors

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "handlers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
MAIL = b"From: alice@partner.example\r\nSubject: Secret merger\r\n\r\nHello\r\n"


def _handler(containing: str) -> Any:
    (block,) = [block for block in BLOCKS if containing in block]
    module: dict[str, Any] = {"__name__": "app"}
    exec(compile(block, "docs/handlers.md", "exec"), module)  # noqa: S102
    return module["handler"]


def _types(answer: dict[str, Any]) -> list[str]:
    return [action["action"]["type"] for action in answer["actions"]]


def test_every_handler_of_the_page_is_run_here() -> None:
    assert len(BLOCKS) == 7
    assert all("def handler(event: " in block for block in BLOCKS)


def test_the_first() -> None:
    handler = _handler("BLOCKED")
    event = load_event("inbound")
    event["envelope"]["recipients"].append({"address": "Billing@corp.example"})
    assert handler(event, None)["actions"] == [
        {"action": {"type": "DROP"}, "recipients": ["Billing@corp.example"]},
        {"action": {"type": "DEFAULT"}, "allRecipients": True},
    ]
    assert _types(handler(load_event("inbound"), None)) == ["DEFAULT"]


def test_either_direction() -> None:
    handler = _handler("[bulk]")
    assert _types(handler(load_event("inbound", subject="[bulk] sale"), None)) == ["MOVE_TO_JUNK"]
    assert _types(handler(load_event("outbound", subject="[bulk] sale"), None)) == ["DEFAULT"]


def test_one_direction() -> None:
    assert _types(_handler("TRUSTED")(load_event("inbound"), None)) == ["BYPASS_SPAM_CHECK"]


def test_asynchronous(caplog: pytest.LogCaptureFixture) -> None:
    assert _handler("logger.warning")(load_event("inbound"), None) is None
    assert "has 2 recipients" in caplog.text


def test_content(stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages")
    stub_aws.answer(Answer(body=MAIL), Answer())
    assert _types(_handler("prefix_subject")(load_event("inbound"), None)) == ["DEFAULT"]
    fetched, uploaded, _ = stub_aws.received
    assert fetched.method == "GET"
    assert b"Subject: [External] Secret merger\r\n" in uploaded.body
    assert b"This message comes from outside." in uploaded.body


def test_refusals(stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages")
    handler = _handler("WhenRefused.FAIL")
    frozen = Answer(400, b"{}", {"x-amzn-ErrorType": "MessageFrozen"})
    stub_aws.answer(Answer(body=MAIL), Answer(), frozen)
    with pytest.raises(content_errors.MessageFrozenError):
        handler(load_event("outbound"), None)
    encrypted = MAIL.replace(
        b"\r\n\r\n", b"\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n"
    )
    stub_aws.answer(Answer(body=encrypted))
    assert _types(handler(load_event("outbound"), None)) == ["BOUNCE"]


def test_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    monkeypatch.setattr("workmail_runtime.idempotency._table", lambda _: store)
    handler = _handler("open_ticket")
    for _ in range(2):
        assert handler(load_event("inbound"), CONTEXT) is None
    assert len(store.records) == 1


def test_the_tables_name_what_there_is() -> None:
    errors = set(re.findall(r"`(\w+Error)`", PAGE))
    known = {*vars(content_errors), *vars(workmail_runtime), "EditRefusedError"}
    assert errors <= known
    assert {name for name, value in vars(content_errors).items() if isinstance(value, type)} - errors <= {
        "WorkMailRuntimeError"
    }
    methods = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    assert {f"{name}_for_all" for name in methods if name != "add_bcc"} | methods == {
        name for name in dir(workmail_runtime.InboundReply) if not name.startswith("_")
    } - {"direction", "known", "entries", "offered", "to", "to_dict"}
