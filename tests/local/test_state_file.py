"""Files of the state folder that are damaged, edited by hand, or of another release."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from workmail_local.access_keys import AccessKeys
from workmail_local.deployment import load_deployments
from workmail_local.faults import FaultPlan
from workmail_local.handler_folder import HandlerFolder
from workmail_local.server.daemon import Daemon, NotRunningError
from workmail_local.server.local_workmail import CannotStartError, Settings, serve
from workmail_local.state_file import StateFileError, read_state_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BROKEN = [
    *(
        b"",
        b"\xff",
        b"{",
        b"[" * 100_000,
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b"[1]",
        b"[[]]",
        b'{"a": 1}',
        b'[{"fault": "none"}]',
    ),
    *(b'[{"fault": "crash", "used": 1}]', b'[{"fault": "crash", "used": {"passed": "x", "hits": 0, "flows": []}}]'),
]
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "faults": ("faults.json", lambda state: FaultPlan(state / "faults.json")),
    "handler folder": ("handlers/rule.json", HandlerFolder.load_all),
    "stack": ("deployments/one/deployment.json", load_deployments),
}


def put(state: Path, name: str, content: bytes) -> Path:
    path = state / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content[:24]))
def test_a_broken_file_is_one_line_that_says_what_to_do(tmp_path: Path, reader: str, content: bytes) -> None:
    name, read = READERS[reader]
    path = put(tmp_path, name, content)
    with pytest.raises(StateFileError) as error:
        read(tmp_path)
    assert re.fullmatch(rf"{re.escape(str(path))}: found .+; delete .+", str(error.value))


def test_a_handler_folder_of_another_release_is_reported(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    HandlerFolder(name="rule", folder=tmp_path / "code").save(tmp_path)
    path = tmp_path / "handlers" / "rule.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
    with pytest.raises(StateFileError, match=r"rule\.json: found what this release cannot read .*'colour'"):
        HandlerFolder.load_all(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("settings.json", b"{"),
        ("settings.json", b"[]"),
        ("settings.json", b'{"smtp": "25"}'),
        ("settings.json", b'{"api": 70000}'),
        ("settings.json", b'{"password": 1}'),
        ("faults.json", b"{}"),
        ("handlers/rule.json", b"{}"),
        ("deployments/one/deployment.json", b"{}"),
    ],
)
def test_the_local_workmail_does_not_start_with_a_broken_file(tmp_path: Path, name: str, content: bytes) -> None:
    path = put(tmp_path, name, content)
    settings = Settings(
        region="us-east-1", account="123456789012", keys=AccessKeys.random(), aws_endpoint="http://127.0.0.1:9"
    )
    with pytest.raises(CannotStartError) as error:
        asyncio.run(serve(tmp_path, settings))
    assert re.fullmatch(
        rf"the local WorkMail cannot start: {re.escape(str(path))}: found .+; delete .+", str(error.value)
    )


@pytest.mark.parametrize(
    "content", [*BROKEN, b'{"api": "http://[", "pid": 1}', b'{"api": "http://127.0.0.1:x", "pid": 1}'], ids=repr
)
def test_a_broken_daemon_json_is_no_running_local_workmail(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, "daemon.json", content)
    with pytest.raises(NotRunningError, match="start it with"):
        Daemon.find(tmp_path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    assert read_state_file(put(tmp_path, "a.json", b'{"a": 1}'), lambda raw: raw["a"], remedy="delete it") == 1
