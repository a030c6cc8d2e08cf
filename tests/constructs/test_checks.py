"""Every kind of rule passes CDK's template validation, cdk-nag and cfn-lint, except for what ACCEPTED explains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ACCEPTED = {
    "AwsSolutions-IAM5": "ids of messages and objects are not known at synth; organization, direction and bucket are; "
    "workmail:ListOrganizations, with which an alias is looked up, takes no resource",
    "AwsSolutions-L1": "the newest runtime that our tests run handlers under",
    "AwsSolutions-S1": "a bucket that is empty after a day; only the function puts into it and only WorkMail reads it",
    "AwsSolutions-SQS3": "the queue is where failed events end; cdk-nag does not see on-failure destinations",
}
# cfn-lint: CDK itself writes a DependsOn from a function to its role beside the reference to it.
IGNORED = "W3005"

pytestmark = pytest.mark.xdist_group("checked_app")


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthesize the app in another process, since CDK runs without its validation in this one."""
    outdir = tmp_path_factory.mktemp("checked") / "cdk.out"
    environment = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}
    subprocess.run(
        [sys.executable, "-m", "tests.constructs.checked_app", str(outdir)],
        cwd=Path(__file__).parents[2],
        env=environment,
        check=False,  # cdk-nag fails the synth for accepted findings too
        capture_output=True,
    )
    return outdir


def test_only_what_is_accepted_is_found(assembly: Path) -> None:
    reports = json.loads((assembly / "validation-report.json").read_text())["pluginReports"]
    found = {
        violation["ruleName"].partition("[")[0]: [each["constructPath"] for each in violation["violatingConstructs"]]
        for report in reports
        for violation in report["violations"]
    }

    assert [report["pluginName"] for report in reports] == ["AwsSolutions"]
    assert found.keys() == ACCEPTED.keys(), found


def test_there_is_no_managed_policy_and_no_wildcard_except_for_ids(assembly: Path) -> None:
    report = (assembly / "validation-report.json").read_text()
    violations = json.loads(report)["pluginReports"][0]["violations"]
    lookup = "/WorkMailOrganizationLookup/Role/DefaultPolicy/Resource"
    details = {
        (violation["ruleName"], each["constructPath"].endswith(lookup))
        for violation in violations
        for each in violation["violatingConstructs"]
        if "IAM" in violation["ruleName"]
    }
    of_lookup = {name for name, is_lookup in details if is_lookup}
    of_rules = {name for name, is_lookup in details if not is_lookup}

    assert of_lookup == {"AwsSolutions-IAM5[Resource::*]"}
    assert of_rules
    assert all(name.endswith(("/incoming/*]", "<RuleMessageBucket32B990AD.Arn>/*]")) for name in of_rules), of_rules


def test_cfn_lint_finds_nothing(assembly: Path) -> None:
    templates = sorted(map(str, assembly.glob("*.template.json")))
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", IGNORED, "--", *templates],
        check=False,
        capture_output=True,
        text=True,
    )

    assert len(templates) == 9
    assert done.returncode == 0, done.stdout + done.stderr
