"""The README's own stack, handler and test: synthesized and run, word for word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"

pytestmark = pytest.mark.xdist_group("examples")


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """A user's folder with the README's three Python files."""
    stack, handler, test = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "app.py").write_text(stack, encoding="utf-8")
    (tmp_path / "test_mail.py").write_text(test, encoding="utf-8")
    rule = tmp_path / "rules" / "disclaimer"
    rule.mkdir(parents=True)
    (rule / "app.py").write_text(handler, encoding="utf-8")
    (rule / "message.eml").write_bytes(
        b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: Hello\r\n"
        b"Date: Sat, 21 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nHello Bob\r\n"
    )
    return tmp_path


def test_the_one_statement_synthesizes_and_writes_what_to_type(app_folder: Path) -> None:
    subprocess.run([sys.executable, "app.py"], cwd=app_folder, check=True, env=_environment(app_folder))

    template = json.loads((app_folder / "cdk.out" / "Mail.template.json").read_text(encoding="utf-8"))
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert {"AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::S3::Bucket"} <= kinds
    assert "Disclaimer" in (app_folder / "cdk.out" / "Mail.email-flow-rules.md").read_text(encoding="utf-8")


def test_the_handler_adds_its_footer(app_folder: Path) -> None:
    rule = app_folder / "rules" / "disclaimer"
    command = [Path(sys.executable).with_name("workmail-flow"), "try", rule, "--handler", "app.handler"]
    command += ["--direction", "outbound", "--message", rule / "message.eml", "--out", app_folder / "out"]
    subprocess.run(command, check=True, capture_output=True)

    assert b"Example Ltd, 1 Example Street" in (app_folder / "out" / "message.eml").read_bytes()


def test_the_snapshot_changes_with_a_resource_and_not_with_the_code(app_folder: Path) -> None:
    app, handler = app_folder / "app.py", app_folder / "rules" / "disclaimer" / "app.py"
    assert "1 snapshot failed" in _pytest(app_folder)
    assert "1 snapshot generated" in _pytest(app_folder, "--snapshot-update")

    handler.write_text(handler.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert "2 passed" in _pytest(app_folder)

    changed = app.read_text(encoding="utf-8").replace("FallbackAction.DEFAULT)", "FallbackAction.BOUNCE)")
    app.write_text(changed, encoding="utf-8")
    assert re.search(r'\+ +"fallback": "BOUNCE"', _pytest(app_folder))


def _pytest(folder: Path, *options: str) -> str:
    """Run the README's test as its user does, and return what pytest says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options]
    environment = {name: value for name, value in _environment(folder).items() if not name.startswith("PYTEST_")}
    environment["CDK_VALIDATION"] = "false"
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True).stdout


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "CDK_OUTDIR": str(folder / "cdk.out")}
