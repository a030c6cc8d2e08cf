"""Killed at any moment and started again, nothing is lost, nothing is delivered twice, the invocation id stays."""

from __future__ import annotations

import json
import os
import random
import signal
import smtplib
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from workmail_constructs.emulator.aws.server import AwsEndpoint
from workmail_constructs.emulator.workmail.handler_folder import HandlerFolder
from workmail_constructs.emulator.workmail.process import Daemon

HANDLERS = Path(__file__).parent / "handlers"
MESSAGES = 100
KILLS = 8


class Sender(threading.Thread):
    """Sends numbered messages over SMTP until each has got its 250, as a mail server does."""

    def __init__(self, address: str, numbers: list[int]) -> None:
        super().__init__(daemon=True)
        host, port = address.split(":")
        self.place = (host, int(port))
        self.numbers = numbers
        self.accepted: Counter[int] = Counter()
        self.unsure: Counter[int] = Counter()

    def run(self) -> None:
        for number in self.numbers:
            content = f"From: ann@other.test\r\nSubject: number {number}\r\n\r\nx\r\n"
            while not self.accepted[number]:
                in_data = False
                try:
                    with smtplib.SMTP(*self.place, timeout=30) as smtp:
                        smtp.ehlo()
                        smtp.mail("ann@other.test")
                        smtp.rcpt("bob@example.com")
                        in_data = True
                        if smtp.data(content)[0] == 250:
                            self.accepted[number] += 1
                            break
                except (OSError, smtplib.SMTPException):
                    # Killed before the 250: it may be on disk all the same, and the sender must send again.
                    self.unsure[number] += in_data
                    time.sleep(0.02)  # nobody listens for a while


@pytest.mark.fact("E7")
def test_killed_at_random_points_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261121)  # noqa: S311 - repeatable
    HandlerFolder(name="rule", folder=HANDLERS / "replies", rule_timeout_minutes=240).save(tmp_path)
    # One AWS endpoint over all kills: it takes longer to start than what this test is about.
    aws = AwsEndpoint.start(region="us-east-1")
    options = ["--time-scale", "3600", "--aws-endpoint", aws.url]
    daemon, _ = Daemon.start(tmp_path, options)
    senders = [Sender(daemon.ready["smtp"], list(range(part, MESSAGES, 4))) for part in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        accepted = sum(sum(sender.accepted.values()) for sender in senders)
        step = accepted + chance.randrange(1, MESSAGES // KILLS)
        while sum(sum(sender.accepted.values()) for sender in senders) < min(step, MESSAGES - 1):
            if not any(sender.is_alive() for sender in senders):
                break
            senders[0].join(chance.random() * 0.01)
        os.kill(daemon.pid, signal.SIGKILL)
        if daemon._child is not None:
            daemon._child.wait()
        daemon, _ = Daemon.start(tmp_path, options)
    for sender in senders:
        sender.join(60)
    assert daemon.client.wait(timeout_s=60)
    messages = daemon.client.get("/v1/messages", limit=1000)["messages"]
    details = [daemon.client.message(message["id"]) for message in messages]
    daemon.stop()
    aws.stop()

    inbox = tmp_path / "mailboxes" / "bob@example.com" / "inbox"
    delivered = Counter(
        int(path.read_text().partition("number ")[2].partition("\n")[0]) for path in inbox.glob("new/*")
    )
    unsure = sum((sender.unsure for sender in senders), Counter[int]())
    assert sorted(delivered) == list(range(MESSAGES))
    # Only where no 250 came back may a second copy exist, and that is the sender's second message.
    assert {number: count for number, count in delivered.items() if count > 1 + unsure[number]} == {}
    assert len(list(inbox.glob("new/*"))) == len(messages)
    for detail in details:
        (flow,) = detail["flows"]
        logged = [json.loads(line) for one in flow["attempts"] for line in one["log"].splitlines()]
        assert {entry["invocationId"] for entry in logged} <= {flow["invocationId"]}
    interrupted = [
        one for detail in details for one in detail["flows"][0]["attempts"] if one["outcome"] == "interrupted"
    ]
    assert interrupted, "no kill met a running function: the test has to kill more often"


def test_a_mail_reader_that_moved_a_message_meanwhile_gets_it_once(tmp_path: Path) -> None:
    from workmail_constructs.emulator.workmail.journal import Batch
    from workmail_constructs.emulator.workmail.mailboxes import INBOX, Mailboxes

    content = tmp_path / "content.eml"
    content.write_bytes(b"x")
    batch = Batch(None)  # type: ignore[arg-type]
    where = {"address": "Bob@Example.com", "folder": INBOX, "name": "1.a.workmail"}
    first = Mailboxes(tmp_path).deliver(batch, content, **where, again=False)
    read = tmp_path / "mailboxes/bob@example.com/inbox/cur/1.a.workmail:2,S"
    (tmp_path / first).rename(read)
    again = Mailboxes(tmp_path).deliver(batch, content, **where, again=True)
    assert tmp_path / again == read
    assert [path.name for path in tmp_path.glob("mailboxes/*/inbox/new/*")] == []


def test_what_another_process_left_as_daemon_json_counts_for_nothing(tmp_path: Path) -> None:
    stale = {"pid": os.getpid(), "api": "http://127.0.0.1:9"}
    (tmp_path / "daemon.json").write_text(json.dumps(stale))
    daemon, started = Daemon.start(tmp_path)
    try:
        assert started
        assert daemon.pid != os.getpid()
        again, started_again = Daemon.start(tmp_path)
        assert (again.pid, started_again) == (daemon.pid, False)
        assert (tmp_path / "daemon.json").stat().st_mode & 0o077 == 0
    finally:
        daemon.stop()
    assert not (tmp_path / "daemon.json").exists()
