"""The handlers of docs/editing.md, run as they stand there, and the tests that docs/security.md names."""

from __future__ import annotations

import ast
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
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text("utf-8"))


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


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)), ids=[name for _, name in sorted(set(NAMED))])
def test_each_test_that_the_security_page_names_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name in [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
