"""The README's own stack, handler and test: synthesized and run, word for word."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.constructs.steps.installed_wheel import offer_installed
from tests.examples.readme_app import STEPS, WATCHING, environment_of, run_pytest, write_readme_app

pytestmark = pytest.mark.xdist_group("examples")


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    write_readme_app(tmp_path)
    return tmp_path


def synthesized(app_folder: Path, addition: str) -> dict[str, Any]:
    """Return the template of the README's one statement and what it adds to it."""
    app = app_folder / "app.py"
    app.write_text(app.read_text(encoding="utf-8").replace("app.synth()", f"{addition}\napp.synth()"), encoding="utf-8")
    subprocess.run([sys.executable, "app.py"], cwd=app_folder, check=True, env=environment_of(app_folder))
    template: dict[str, Any] = json.loads((app_folder / "cdk.out" / "Mail.template.json").read_text(encoding="utf-8"))
    return template


def test_the_steps_synthesize_beside_the_one_statement_and_write_what_to_type(
    app_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one statement alone is what the snapshot below is of."""
    offer_installed("puremagic", app_folder / "wheels", monkeypatch)
    kinds = {resource["Type"] for resource in synthesized(app_folder, STEPS)["Resources"].values()}
    assert {"AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::S3::Bucket"} <= kinds
    assert {"AWS::DynamoDB::Table", "AWS::CloudWatch::Alarm"} <= kinds
    assert "Disclaimer" in (app_folder / "cdk.out" / "Mail.email-flow-rules.md").read_text(encoding="utf-8")


def test_the_rule_is_watched(app_folder: Path) -> None:
    kinds = [resource["Type"] for resource in synthesized(app_folder, WATCHING)["Resources"].values()]
    assert kinds.count("AWS::CloudWatch::Alarm") == 6
    assert {"AWS::CloudWatch::Dashboard", "Custom::WorkMailEmailEventLogging"} <= set(kinds)


def test_the_handler_adds_its_footer(app_folder: Path) -> None:
    rule = app_folder / "rules" / "disclaimer"
    command = [Path(sys.executable).with_name("workmail-flow"), "try", rule, "--handler", "app.handler"]
    command += ["--direction", "outbound", "--message", rule / "message.eml", "--out", app_folder / "out"]
    subprocess.run(command, check=True, capture_output=True)

    assert b"Example Ltd, 1 Example Street" in (app_folder / "out" / "message.eml").read_bytes()


def test_the_snapshot_changes_with_a_resource_and_not_with_the_code(app_folder: Path) -> None:
    app, handler = app_folder / "app.py", app_folder / "rules" / "disclaimer" / "app.py"
    assert "1 snapshot generated" in run_pytest(sys.executable, app_folder, "--snapshot-update")

    handler.write_text(handler.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert "2 passed" in run_pytest(sys.executable, app_folder)

    changed = app.read_text(encoding="utf-8").replace("FallbackAction.DEFAULT)", "FallbackAction.BOUNCE)")
    app.write_text(changed, encoding="utf-8")
    assert re.search(r'\+ +"fallback": "BOUNCE"', run_pytest(sys.executable, app_folder))
