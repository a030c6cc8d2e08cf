"""What `cdk synth` says of stages and pipelines, with the real CDK CLI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_SOURCE_ARN = "without source ARN, which lets any organization call the function"
NO_WORKMAIL = "found a stack for WorkMail in eu-central-1; allowed: eu-west-1"
ONE_NAME = "rules have the name 'Rule'; a name is unique in an organization (F1)"


def cdk_synth(place: str, content: str, outdir: Path) -> subprocess.CompletedProcess[str]:
    app = f"{sys.executable} -m tests.constructs.staged_app {place} {content}"
    # conftest.py turns off CDK's template validation, and with it what users have by default: a look into stages.
    options = ["--validation", "--quiet", "--no-notices", "--app", app, "--output", outdir]
    command = [ROOT / "node_modules/.bin/cdk", "synth", *options]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("place", "content", "paths", "message"),
    [
        ("stages", "permission", ["Outer/Mail/Existing/WorkMail", "Outer/Inner/Mail/Existing/WorkMail"], NO_SOURCE_ARN),
        ("stages", "region", ["Outer/Mail", "Outer/Inner/Mail"], NO_WORKMAIL),
        (
            "pipeline",
            "permission",
            ["Delivery/Test/Mail/Existing/WorkMail", "Delivery/Production/Mail/Existing/WorkMail"],
            NO_SOURCE_ARN,
        ),
        ("pipeline", "name", ["Delivery/Test/One", "Delivery/Production/Two"], f"4 {ONE_NAME}"),
    ],
)
def test_an_error_in_a_stage_fails_synth_and_is_shown(
    tmp_path: Path, place: str, content: str, paths: list[str], message: str
) -> None:
    done = cdk_synth(place, content, tmp_path / "cdk.out")

    assert done.returncode == 1, done.stderr
    shown = done.stderr.splitlines()
    assert [path for path in paths if f"   {path}" not in shown] == []
    assert sum(message in line for line in shown) >= len(paths)


def test_every_stage_of_a_pipeline_has_the_runbook_of_all_stages(tmp_path: Path) -> None:
    done = cdk_synth("pipeline", "right", tmp_path / "cdk.out")

    assert done.returncode == 0, done.stderr
    test, production = (book.read_text() for book in (tmp_path / "cdk.out").rglob("*.email-flow-rules.md"))
    assert test == production
    assert "| Rule name | `Test` |" in test
    assert "| Rule name | `Production` |" in test
