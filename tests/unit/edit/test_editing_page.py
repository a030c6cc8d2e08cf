"""The handlers of docs/editing.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.edit.make_corpus import messages
from tests.unit.edit.test_looking import DAMAGED, HEADER, SOUND
from tests.unit.runtime.conftest import Answer, StubAws, stub_aws  # noqa: F401 - a fixture
from tests.unit.runtime.load_event import load_event

ROOT = Path(__file__).resolve().parents[3]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/editing.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)


def _handler(block: str) -> Any:
    module: dict[str, Any] = {"__name__": "app"}
    exec(compile(block, "docs/editing.md", "exec"), module)  # noqa: S102
    return module["handler"]


def _types(answer: dict[str, Any]) -> list[str]:
    return [action["action"]["type"] for action in answer["actions"]]


def test_the_first(stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages-bucket")
    stub_aws.answer(Answer(body=messages()["html-only"]), Answer(), Answer())
    assert _types(_handler(BLOCKS[0])(load_event("inbound"), None)) == ["DEFAULT"]
    assert b"<b>From outside.</b>" in stub_aws.received[1].body


@pytest.mark.parametrize("rest", [*DAMAGED.values(), *SOUND.values()], ids=[*DAMAGED, *SOUND])
def test_the_guard_delivers_no_program(stub_aws: StubAws, rest: str) -> None:  # noqa: F811
    stub_aws.answer(Answer(body=HEADER + rest.encode()))
    assert _types(_handler(BLOCKS[1])(load_event("inbound"), None)) == ["BOUNCE"]


def test_the_guard_delivers_ordinary_mail(stub_aws: StubAws) -> None:  # noqa: F811
    stub_aws.answer(Answer(body=messages()["mixed-alternative-attachment"]))
    assert _types(_handler(BLOCKS[1])(load_event("inbound"), None)) == ["DEFAULT"]
