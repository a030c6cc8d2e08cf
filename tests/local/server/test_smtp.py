"""Mail in over the two ports."""

from __future__ import annotations

import base64
import smtplib
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "handlers"
MESSAGE = b"From: ann@other.test\r\nSubject: hello\r\n\r\n.dot\r\nhi\r\n"


@contextmanager
def connection(local: WorkMailLocal, port: str = "smtp", *, login: bool = False) -> Iterator[smtplib.SMTP]:
    host, number = local.daemon.ready[port].split(":")
    with smtplib.SMTP(host, int(number), timeout=30) as smtp:
        if login:
            smtp.login(local.daemon.ready["submission_user"], local.daemon.ready["submission_password"])
        yield smtp


def only_message(local: WorkMailLocal) -> dict[str, object]:
    local.daemon.client.wait()
    (found,) = local.daemon.client.get("/v1/messages")["messages"]
    detail: dict[str, object] = found
    return detail


def test_mail_comes_in_byte_for_byte(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    with connection(workmail_local) as smtp:
        assert smtp.sendmail("ann@other.test", ["bob@example.com"], MESSAGE) == {}
    found = only_message(workmail_local)
    assert (found["source"], found["state"]) == ("smtp", "done")
    assert workmail_local.daemon.client.content(str(found["id"])) == MESSAGE


def test_a_message_of_millions_of_lines_comes_in_byte_for_byte_before_the_connection_times_out(
    workmail_local: WorkMailLocal,
) -> None:
    message = b"From: ann@other.test\r\nSubject: hello\r\n\r\n.\r\n" + b"\r\n" * 8_000_000
    with connection(workmail_local) as smtp:
        assert smtp.sendmail("ann@other.test", ["bob@example.com"], message) == {}
    assert workmail_local.daemon.client.content(str(only_message(workmail_local)["id"])) == message


@pytest.mark.fact("E4")
def test_recipients_outside_the_organization_are_refused_one_by_one(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    with connection(workmail_local) as smtp:
        refused = smtp.sendmail("ann@other.test", ["bob@example.com", "x@elsewhere.test"], MESSAGE)
    assert refused["x@elsewhere.test"][0] == 550
    recipients = only_message(workmail_local)["recipients"]
    assert isinstance(recipients, list)
    assert [one["recipient"] for one in recipients] == ["bob@example.com"]


@pytest.mark.fact("F16")
def test_the_501st_recipient_is_refused(workmail_local: WorkMailLocal) -> None:
    with connection(workmail_local) as smtp:
        everyone = [f"user{number}@example.com" for number in range(501)]
        assert smtp.sendmail("ann@other.test", everyone, MESSAGE)[everyone[500]][0] == 452


@pytest.mark.fact("F16")
def test_a_message_above_40_mb_is_refused_before_it_is_sent(workmail_local: WorkMailLocal) -> None:
    with connection(workmail_local) as smtp:
        smtp.ehlo()
        assert smtp.esmtp_features["size"] == str(40 * 1024 * 1024)
        assert smtp.mail("ann@other.test", [f"SIZE={41 * 1024 * 1024}"])[0] == 552


def test_a_bounce_from_outside_has_the_null_reverse_path(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    with connection(workmail_local) as smtp:
        smtp.sendmail("", ["bob@example.com"], MESSAGE)
    found = only_message(workmail_local)
    sent = workmail_local.wait(str(found["id"]))
    assert (found["mailFrom"], sent.actions) == ("", {"bob@example.com": "DEFAULT"})
    assert [event["envelope"]["mailFrom"] for event in sent.events] == [{"address": ""}]
    assert [mail["Subject"] for mail in workmail_local.inbox("bob@example.com")] == ["hello"]


@pytest.mark.fact("C9")
def test_inbound_mail_may_break_the_line_length(workmail_local: WorkMailLocal) -> None:
    long_line = MESSAGE + b"x" * 20_000 + b"\r\n"
    with connection(workmail_local) as smtp:
        smtp.sendmail("ann@other.test", ["bob@example.com"], long_line)
    assert workmail_local.daemon.client.content(str(only_message(workmail_local)["id"])) == long_line


def test_internationalized_addresses_are_taken(workmail_local: WorkMailLocal) -> None:
    with connection(workmail_local) as smtp:
        smtp.sendmail("änn@other.test", ["bøb@example.com"], MESSAGE, mail_options=["SMTPUTF8"])
    only_message(workmail_local)
    assert len(workmail_local.inbox("bøb@example.com")) == 1


@pytest.mark.parametrize(
    "address",
    [b"\xff@example.com", b"bo\x01b@example.com", b"bob", b"b" * 260 + b"@example.com"],
    ids=["not UTF-8", "control character", "no domain", "too long"],
)
def test_an_address_that_is_none_is_refused_on_either_side(workmail_local: WorkMailLocal, address: bytes) -> None:
    host, port = workmail_local.daemon.ready["smtp"].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw, raw.makefile("rb") as answers:

        def say(line: bytes) -> bytes:
            raw.sendall(line + b"\r\n")
            return answers.readline()[:9]

        answers.readline()
        say(b"HELO here")
        assert say(b"MAIL FROM:<" + address + b">") == b"553 5.1.7"
        assert say(b"MAIL FROM:<ann@other.test>")[:3] == b"250"
        assert say(b"RCPT TO:<" + address + b">") == b"553 5.1.3"
        assert say(b"RCPT TO:<bob@example.com>")[:3] == b"250"


@pytest.mark.parametrize("mailbox", ["%/" * 32, "\u00e9" * 32], ids=["escaped", "escaped letters"])
def test_the_longest_addresses_have_a_mailbox(workmail_local: WorkMailLocal, mailbox: str) -> None:
    domain = ".".join(["d" * 60] * 3)
    workmail_local.deploy_handler(HANDLERS / "replies", domains=[domain])
    address = f"{mailbox}@{domain}"
    workmail_local.send(MESSAGE, mail_from="ann@other.test", rcpt=[address])
    assert len(workmail_local.inbox(address)) == 1


def test_submission_needs_the_password(workmail_local: WorkMailLocal) -> None:
    with connection(workmail_local, "submission") as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail("bob@example.com", ["x@elsewhere.test"], MESSAGE)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("workmail", "guessed")


@contextmanager
def submission(local: WorkMailLocal) -> Iterator[Callable[[bytes], bytes]]:
    """Speak to the submission port line by line."""
    host, port = local.daemon.ready["submission"].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw, raw.makefile("rb") as answers:

        def say(line: bytes) -> bytes:
            raw.sendall(line + b"\r\n")
            return answers.readline()

        answers.readline()
        raw.sendall(b"EHLO here\r\n")
        while answers.readline()[3:4] == b"-":
            pass
        yield say


WRONG = b"AUTH PLAIN " + base64.b64encode(b"\0workmail\0guessed")


def test_the_third_wrong_password_ends_the_connection(workmail_local: WorkMailLocal) -> None:
    with submission(workmail_local) as say:
        assert [say(WRONG)[:9] for _ in range(3)] == [b"535 5.7.8"] * 3
        with suppress(ConnectionError):
            assert say(b"NOOP") == b"421 4.7.0 too many failed logins\r\n"
            assert say(b"NOOP") == b""


def test_wrong_passwords_wait_for_one_another_and_the_right_one_for_nobody(workmail_local: WorkMailLocal) -> None:
    def guess() -> None:
        with submission(workmail_local) as say:
            say(WRONG)

    guesses = [threading.Thread(target=guess) for _ in range(3)]
    started = time.monotonic()
    for one in guesses:
        one.start()
    with connection(workmail_local, "submission", login=True) as smtp:
        assert smtp.noop()[0] == 250
    logged_in = time.monotonic() - started
    for one in guesses:
        one.join()
    assert time.monotonic() - started >= 3 * 0.5 > logged_in


@pytest.mark.fact("F3")
def test_submission_is_outbound(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", direction="OUTBOUND")
    with connection(workmail_local, "submission", login=True) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused, match="sender's domain"):
            smtp.sendmail("ann@other.test", ["x@elsewhere.test"], MESSAGE)
        smtp.sendmail("bob@example.com", ["x@elsewhere.test"], MESSAGE)
    found = only_message(workmail_local)
    assert (found["source"], found["direction"]) == ("submission", "OUTBOUND")
    assert len(workmail_local.outbound()) == 1


def test_nothing_listens_beyond_loopback(workmail_local: WorkMailLocal) -> None:
    ready = workmail_local.daemon.ready
    assert {ready[name].split(":")[0] for name in ("smtp", "submission")} == {"127.0.0.1"}
    for name in ("smtp", "submission"):
        # Any other address of this machine: even another one of the loopback network.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(ready[name].rpartition(":")[2])), timeout=5)


def test_no_address_subject_or_password_is_logged(workmail_local: WorkMailLocal) -> None:
    with connection(workmail_local, "submission", login=True) as smtp:
        smtp.sendmail("secret-sender@example.com", ["secret-recipient@elsewhere.test"], MESSAGE)
    only_message(workmail_local)
    log = (workmail_local.state / "daemon.log").read_text() + (workmail_local.state / "aws.log").read_text()
    ready = workmail_local.daemon.ready
    kept = (ready[name] for name in ("submission_password", "token", "aws_access_key_id"))
    for secret in ("secret-sender", "secret-recipient", "hello", *kept):
        assert secret not in log
