"""`workmail-flow local deploy --watch`: a changed handler runs at once, a changed app is deployed again."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("deploy-watch")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "hello_world"
PLAIN = EXAMPLE / "messages" / "plain.eml"
HANDLER = """\
from workmail_runtime import synchronous_inbound

@synchronous_inbound
def handler(event):
    return event.reply.ACTION_for_all()
"""
STEP = """\
def run(message):
    message.note("NOTE")
"""
APP = """\
from aws_cdk import App, Stack
from workmail_constructs import FallbackAction, FlowDirection, RuleCode, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.own_step import OwnStep

app = App()
stack = Stack(app, "Watched")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
run = Run.synchronous(fallback=FallbackAction.DROP)
shared = {"organization": organization, "run": run}
RunLambdaRule(stack, "Coded", **shared, direction=FlowDirection.INBOUND, code=RuleCode.from_folder("handler"))
RunLambdaRule(stack, "Stepped", **shared, direction=FlowDirection.OUTBOUND, steps=[OwnStep("own")])
app.synth()
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "handler").mkdir(parents=True)
    (folder / "own").mkdir()
    (folder / "handler" / "app.py").write_text(HANDLER.replace("ACTION", "default"))
    (folder / "own" / "step.py").write_text(STEP)
    (folder / "app.py").write_text(APP)
    (folder / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} app.py"}))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


@pytest.fixture
def local(tmp_path: Path) -> Iterator[WorkMailLocal]:
    with WorkMailLocal.running(tmp_path / "state") as running:
        yield running


class Watching:
    """The command while it runs, and what it says."""

    def __init__(self, local: WorkMailLocal, app: Path) -> None:
        command = [Path(sys.executable).with_name("workmail-flow"), "local", "deploy", "--watch"]
        command += ["--app", app, "--state", local.state]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def end(self) -> int:
        """End it with Ctrl-C; return its exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        self._reading.join(30)
        return self.process.wait(30)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._lines.put(line)

    def until(self, said: str) -> str:
        """Wait until it says this; return all that it said until then."""
        lines = ""
        while said not in lines:
            lines += self._lines.get(timeout=120)
        return lines


def test_a_changed_handler_runs_at_once_and_a_changed_app_is_deployed_again(
    local: WorkMailLocal, app: Path, tmp_path: Path
) -> None:
    handler, step = app / "handler" / "app.py", app / "own" / "step.py"

    def actions() -> set[str | None]:
        return set(local.send(PLAIN).actions.values())

    watching = Watching(local, app)
    try:
        first = watching.until("Ctrl-C ends it")
        assert "Watched: created" in first
        assert actions() == {"DEFAULT"}

        handler.write_text(HANDLER.replace("ACTION", "drop"))
        swapped = watching.until("has its new code after")
        assert "Coded" in swapped
        assert actions() == {"DROP"}

        handler.write_text("def handler(event, context)")
        watching.until("keeps its code: app.py has a syntax error in line 1")
        assert actions() == {"DROP"}

        step.write_text(STEP.replace("NOTE", "changed on the way"))
        assert "Stepped" in watching.until("has its new code after")
        reply = b"From: bob@example.com\r\nTo: ann@example.net\r\nSubject: Re\r\n\r\nhi\r\n"
        assert "changed on the way" in local.send(reply, direction="outbound").logs

        handler.write_text(HANDLER.replace("ACTION", "move_to_junk"))
        watching.until("has its new code after")
        (app / "app.py").write_text(APP.replace("FallbackAction.DROP", "FallbackAction.DEFAULT"))
        again = watching.until("Ctrl-C ends it")
        assert "The app has changed: deploying it." in again
        assert "Watched: updated" in again
        assert actions() == {"MOVE_TO_JUNK"}

        (app / "app.py").write_text("broken(")
        assert "Not deployed: The app was not synthesized" in watching.until("Ctrl-C ends it")
        assert actions() == {"MOVE_TO_JUNK"}

        # What `cdk deploy --hotswap` calls.
        awslambda = local.client("lambda")
        functions = [each["FunctionName"] for each in awslambda.list_functions()["Functions"]]
        (coded,) = (name for name in functions if "Coded" in name)
        archive = shutil.make_archive(str(tmp_path / "code"), "zip", _folder(tmp_path / "code", "bounce"))
        awslambda.update_function_code(FunctionName=coded, ZipFile=Path(archive).read_bytes())
        assert actions() == {"BOUNCE"}
    finally:
        status = watching.end()
    assert status == 0


def _folder(folder: Path, action: str) -> Path:
    folder.mkdir()
    reply = {"actions": [{"action": {"type": action.upper()}, "allRecipients": True}]}
    (folder / "app.py").write_text(f"def handler(event, context): return {reply!r}\n")
    return folder
