"""Killed at any moment and started again, nothing is lost, nothing is delivered twice, the invocation id stays."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench._kill_run import kill_run
from workmail_local.mail.mailboxes import INBOX, Mailboxes
from workmail_local.server.daemon import Daemon, DaemonError, NotRunningError

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import WorkMailLocal

HANDLERS = Path(__file__).parents[1] / "handlers"


def readable_by_others(state: Path) -> list[Path]:
    files = [path for path in (state, *state.rglob("*")) if not path.is_symlink()]
    return [path for path in files if path.stat().st_mode & 0o077]


@pytest.mark.fact("E7")
def test_killed_at_random_points_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    result = kill_run(tmp_path, messages=100, kills=8, seed=20261121)
    assert (result.lost, result.doubled, result.changed_ids) == (0, 0, 0)
    assert result.interrupted, "no kill met a running function: the test has to kill more often"


def test_a_mail_reader_that_moved_a_message_meanwhile_gets_it_once(tmp_path: Path) -> None:
    content = tmp_path / "content.eml"
    content.write_bytes(b"x")
    where: dict[str, Any] = {"address": "Bob@Example.com", "folder": INBOX, "name": "1.a.workmail"}
    first = Mailboxes(tmp_path).deliver(content, **where, again=False)
    read = tmp_path / "mailboxes/bob@example.com/inbox/cur/1.a.workmail:2,S"
    (tmp_path / first).rename(read)
    again = Mailboxes(tmp_path).deliver(content, **where, again=True)
    assert tmp_path / again == read
    assert [path.name for path in tmp_path.glob("mailboxes/*/inbox/new/*")] == []


def test_what_stood_there_before_counts_for_nothing_and_is_nobody_elses(tmp_path: Path) -> None:
    stale = {"pid": os.getpid(), "api": "http://127.0.0.1:9"}
    (tmp_path / "daemon.json").write_text(json.dumps(stale))
    (tmp_path / "mailboxes").mkdir()
    (tmp_path / "daemon.log").touch()
    for path in (tmp_path, tmp_path / "mailboxes", tmp_path / "daemon.log"):
        path.chmod(0o777)
    daemon, started = Daemon.start(tmp_path)
    try:
        assert started
        assert daemon.pid != os.getpid()
        again, started_again = Daemon.start(tmp_path)
        assert (again.pid, started_again) == (daemon.pid, False)
        assert readable_by_others(tmp_path) == []
    finally:
        daemon.stop()
    assert not (tmp_path / "daemon.json").exists()


@pytest.mark.xdist_group("workmail-local")
def test_everything_in_the_state_folder_is_its_owners_alone(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    message = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nhi\r\n"
    assert workmail_local.send(message).succeeded
    assert readable_by_others(workmail_local.state) == []


def test_a_state_folder_that_others_may_have_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    refused = "cannot be the state folder: it is a symbolic link; give another one"
    with pytest.raises(DaemonError, match=refused):
        Daemon.start(tmp_path / "link")
    with pytest.raises(DaemonError, match=refused):
        Daemon.find(tmp_path / "link")


def test_the_port_of_one_that_has_ended_gets_no_token(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        ready = {"pid": ended.pid, "api": f"http://127.0.0.1:{theirs.getsockname()[1]}", "token": "secret"}
        (tmp_path / "daemon.json").write_text(json.dumps(ready))
        with pytest.raises(NotRunningError):
            Daemon.find(tmp_path)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.accept()
