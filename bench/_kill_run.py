"""Kills the local WorkMail again and again while mail comes in, and counts what happened to each message."""

from __future__ import annotations

import json
import os
import random
import signal
import smtplib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workmail_local.aws.server import AwsEndpoint
from workmail_local.handler_folder import HandlerFolder
from workmail_local.server.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence

SENDERS = 4
_HANDLER = """
import json

def handler(event, context):
    print(json.dumps({"invocationId": event["invocationId"]}))
    return {"actions": [{"allRecipients": True, "action": {"type": "DEFAULT"}}]}
"""
_INBOX = Path("mailboxes/bob@example.com/inbox")


@dataclass(frozen=True, slots=True)
class KillResult:
    """What happened to the messages.

    Args:
        lost: Messages that got their 250 and are not in the mailbox.
        doubled: Copies that the sender did not cause by sending again after no 250 came back.
        changed_ids: Messages whose function saw more than one invocation id.
        interrupted: Invocations that a kill interrupted.
    """

    lost: int
    doubled: int
    changed_ids: int
    interrupted: int


def kill_run(state: Path, *, messages: int, kills: int, seed: int) -> KillResult:
    """Send numbered messages while the process is killed at random points, then check every one."""
    chance = random.Random(seed)
    handler = state / "handler"
    handler.mkdir(parents=True)
    (handler / "app.py").write_text(_HANDLER)
    HandlerFolder(name="rule", folder=handler, rule_timeout_minutes=240).save(state)
    # One AWS endpoint for all runs: it takes longer to start than everything that is measured here.
    aws = AwsEndpoint.start(region="us-east-1")
    options, secret = ["--time-scale", "3600", "--aws-endpoint", aws.url], aws.keys.secret
    try:
        daemon, _ = Daemon.start(state, options, secret=secret)
        senders = [_Sender(daemon.ready["smtp"], range(part, messages, SENDERS)) for part in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            goal = min(_accepted(senders) + chance.randrange(1, max(2, messages // kills)), messages - 1)
            while _accepted(senders) < goal:
                time.sleep(chance.random() * 0.01)
            os.kill(daemon.pid, signal.SIGKILL)
            if daemon.child is not None:
                daemon.child.wait()
            daemon, _ = Daemon.start(state, options, secret=secret)
        for sender in senders:
            sender.join()
        daemon.client.wait(timeout_s=120)
        result = _counted(state, daemon, senders)
        daemon.stop()
    finally:
        aws.stop()
    return result


def _counted(state: Path, daemon: Daemon, senders: Sequence[_Sender]) -> KillResult:
    known = daemon.client.get("/v1/messages", limit=1000)["messages"]
    while known and known[-1]["seq"] > 1:
        known += daemon.client.get("/v1/messages", limit=1000, before=known[-1]["seq"])["messages"]
    flows = [daemon.client.message(message["id"])["flows"][0] for message in known]
    changed = interrupted = 0
    for flow in flows:
        logged = {json.loads(line)["invocationId"] for one in flow["attempts"] for line in one["log"].splitlines()}
        changed += not logged <= {flow["invocationId"]}
        interrupted += sum(one["outcome"] == "interrupted" for one in flow["attempts"])
    delivered = Counter(
        int(path.read_text().partition("number ")[2].partition("\n")[0]) for path in (state / _INBOX).glob("new/*")
    )
    unsure = sum((sender.unsure for sender in senders), Counter[int]())
    accepted = sum((sender.accepted for sender in senders), Counter[int]())
    lost = sum(1 for number in accepted if not delivered[number])
    doubled = sum(max(0, count - 1 - unsure[number]) for number, count in delivered.items())
    # Each message that was kept is delivered once, whether its sender knows of it or not.
    doubled += abs(sum(delivered.values()) - len(known))
    return KillResult(lost, doubled, changed, interrupted)


def _accepted(senders: Sequence[_Sender]) -> int:
    return sum(sender.accepted.total() for sender in senders)


class _Sender(threading.Thread):
    """Sends numbered messages until each has got its 250, as a mail server does."""

    def __init__(self, address: str, numbers: range) -> None:
        super().__init__(daemon=True)
        host, port = address.split(":")
        self._place = (host, int(port))
        self._numbers = numbers
        self.accepted: Counter[int] = Counter()
        self.unsure: Counter[int] = Counter()

    def run(self) -> None:
        for number in self._numbers:
            while not self.accepted[number]:
                self._send(number)

    def _send(self, number: int) -> None:
        content = f"From: ann@other.test\r\nSubject: number {number}\r\n\r\nx\r\n"
        in_data = False
        try:
            with smtplib.SMTP(*self._place, timeout=30) as smtp:
                smtp.ehlo()
                smtp.mail("ann@other.test")
                smtp.rcpt("bob@example.com")
                in_data = True
                self.accepted[number] += smtp.data(content)[0] == 250
        except (OSError, smtplib.SMTPException):
            # Killed before the 250: the message may have been kept, and the sender has to send it again.
            self.unsure[number] += in_data and not self.accepted[number]
            time.sleep(0.02)  # until the next one listens
