"""What `cdk synth` says of stages and pipelines, with the real CDK CLI."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_SOURCE_ARN = "without source ARN, which lets any organization call the function"
NO_WORKMAIL = "found a stack for WorkMail in eu-central-1; allowed: eu-west-1"
ONE_NAME = "rules have the name 'Rule'; a name is unique in an organization (F1)"


def cdk_synth(place: str, outdir: Path, *contents: str) -> subprocess.CompletedProcess[str]:
    app = f"{sys.executable} -m tests.constructs.staged_app {place} {' '.join(contents)}"
    # tests/conftest.py turns off CDK's template validation, and with it what users have by default: a look into stages.
    options = ["--validation", "--quiet", "--no-notices", "--app", app, "--output", outdir]
    command = [ROOT / "node_modules/.bin/cdk", "synth", *options]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("place", "contents", "expected"),
    [
        (
            "stages",
            ["permission", "region"],
            {
                "Outer/Mail/Existing/WorkMail": NO_SOURCE_ARN,
                "Outer/Inner/Mail/Existing/WorkMail": NO_SOURCE_ARN,
                "Outer/Abroad": NO_WORKMAIL,
                "Outer/Inner/Abroad": NO_WORKMAIL,
            },
        ),
        (
            "pipeline",
            ["permission", "name"],
            {
                "Delivery/Test/Mail/Existing/WorkMail": NO_SOURCE_ARN,
                "Delivery/Production/Mail/Existing/WorkMail": NO_SOURCE_ARN,
                "Delivery/Test/One": f"4 {ONE_NAME}",
                "Delivery/Production/Two": f"4 {ONE_NAME}",
            },
        ),
    ],
)
def test_errors_in_stages_fail_synth_and_are_shown(
    tmp_path: Path, place: str, contents: list[str], expected: dict[str, str]
) -> None:
    done = cdk_synth(place, tmp_path / "cdk.out", *contents)

    assert done.returncode == 1, done.stderr
    shown = done.stderr.splitlines()
    assert [path for path in expected if f"   {path}" not in shown] == []
    for message, times in Counter(expected.values()).items():
        assert sum(message in line for line in shown) >= times


def test_every_stage_of_a_pipeline_has_the_runbook_of_all_stages(tmp_path: Path) -> None:
    done = cdk_synth("pipeline", tmp_path / "cdk.out", "right")

    assert done.returncode == 0, done.stderr
    test, production = (book.read_text() for book in (tmp_path / "cdk.out").rglob("*.email-flow-rules.md"))
    assert test == production
    assert "| Rule name | `Test` |" in test
    assert "| Rule name | `Production` |" in test
