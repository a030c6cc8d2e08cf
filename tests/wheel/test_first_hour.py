"""The first hour of a new user, from the built wheel, in an empty folder, by the pages alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.wheel.test_wheel import installed, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

__all__ = ["installed", "wheel"]

pytestmark = pytest.mark.xdist_group("first-hour")

APP = """\
from aws_cdk import App, Duration, Stack

from workmail_constructs import FallbackAction, FlowDirection, RuleCode, Run, RunLambdaRule, WorkMailOrganization

app = App()
stack = Stack(app, "Mail")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
RunLambdaRule(
    stack,
    "Inbound",
    organization=organization,
    direction=FlowDirection.INBOUND,
    code=RuleCode.from_folder("rules/inbound"),
    run=Run.synchronous(fallback=FallbackAction.MOVE_TO_JUNK, rule_timeout=Duration.minutes(0)),
)
RunLambdaRule(
    stack,
    "Outbound",
    organization=organization,
    direction=FlowDirection.OUTBOUND,
    code=RuleCode.from_folder("rules/outbound"),
    run=Run.asynchronous(),
)
app.synth()
"""
INBOUND = """\
from workmail_runtime import InboundEvent, Reply, synchronous_inbound


@synchronous_inbound
def handler(event: InboundEvent) -> Reply:
    return event.reply.default_for_all()
"""
OUTBOUND = """\
from workmail_runtime import AsynchronousEvent, asynchronous


@asynchronous
def handler(event: AsynchronousEvent) -> None:
    print("seen", event.message_id)
"""
MESSAGE = "From: Ann <ann@example.net>\nTo: Bob <bob@example.com>\nSubject: Hello\n\nHello Bob\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the user's repository: an app with two rules, and a message."""
    for name, source in (("inbound", INBOUND), ("outbound", OUTBOUND)):
        (tmp_path / "rules" / name).mkdir(parents=True)
        (tmp_path / "rules" / name / "app.py").write_text(source, encoding="utf-8")
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "cdk.json").write_text(json.dumps({"app": "python3 app.py"}), encoding="utf-8")
    (tmp_path / "hello.eml").write_text(MESSAGE, encoding="utf-8")
    (tmp_path / "reply.eml").write_text(
        "From: bob@example.com\nTo: ann@example.net\nSubject: Re\n\nHi\n", encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def run(installed: Path, folder: Path) -> Iterator[Run]:
    """Run `workmail-flow` of the installed wheel in the user's folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "AWS_", "VIRTUAL_ENV"))}
    # The packages that the installed ones need lie in the environment of the tests.
    own["PATH"] = os.pathsep.join([str(installed.parent), own["PATH"]])

    def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        command = [installed.with_name("workmail-flow"), *arguments]
        done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    yield run
    run("local", "down")


def test_the_first_hour(run: Run, folder: Path) -> None:
    inbound = folder / "rules" / "inbound" / "app.py"
    # Try the handler, then run it all.
    tried = run("try", "rules/inbound", "--handler", "app.handler", "--message", "hello.eml")
    assert "bob@example.com" in tried.stdout
    started = run("local", "up", "--detach")
    (page,) = re.findall(r"^page +(http://127\.0\.0\.1:\d+/)#token=\S+$", started.stdout, re.MULTILINE)
    with urllib.request.urlopen(page) as answer:  # noqa: S310 - our own page
        assert b"Local WorkMail" in answer.read()
    deployed = run("local", "deploy")
    assert "Mail: created in us-east-1; as in the template: resources" in deployed.stdout
    assert "email flow rules 2" in deployed.stdout
    assert (folder / ".workmail-local" / ".gitignore").is_file()

    sent = run("local", "send", "hello.eml")
    assert "DEFAULT" in sent.stdout
    assert "is on its way" in sent.stderr
    run("local", "send", "--direction", "outbound", "reply.eml")
    assert "seen" in run("local", "logs").stdout
    assert "Hello" in run("local", "messages").stdout

    # A handler that fails: the failure is seen as it happens, and what became of the mail.
    inbound.write_text(INBOUND.replace("return", "raise ValueError('no'); return"), encoding="utf-8")
    run("local", "deploy")
    failed = run("local", "send", "hello.eml", status=1)
    assert "attempt 1 of rule Inbound: function-error" in failed.stderr
    assert "fallback MOVE_TO_JUNK after 1 attempt: function-error: ValueError" in " ".join(failed.stdout.split())

    # A handler that cannot be loaded never gets as far as that.
    inbound.write_text(INBOUND.replace("Reply:", "Reply"), encoding="utf-8")
    broken = run("local", "deploy", status=1)
    assert re.search(
        r"handler: found 'app\.handler', but \S+ has a syntax error in line 5: expected ':'", broken.stderr
    )
    assert "unchanged" not in broken.stdout

    inbound.write_text(INBOUND.replace("default", "drop"), encoding="utf-8")
    run("local", "deploy")
    assert "DROP" in run("local", "send", "hello.eml").stdout

    # What an administrator has to type.
    book = run("rules", "runbook", ".workmail-local/cdk.out").stdout
    assert "m-0123456789abcdef0123456789abcdef" in book
    assert "Inbound" in book
    assert "Outbound" in book
    assert run("rules", "lint", ".workmail-local/cdk.out", "--strict").stdout
