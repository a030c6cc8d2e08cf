"""Every kind of rule passes CDK's template validation, cdk-nag and cfn-lint, except as docs/cdk-nag.md explains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.constructs.checked_app import synthesize
from tests.constructs.pages import assert_is_current, cdk_nag

# cfn-lint: CDK itself writes a DependsOn from a function to its role beside the reference to it.
IGNORED = "W3005"

pytestmark = pytest.mark.xdist_group("checked_app")


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("checked") / "cdk.out")


def test_each_finding_of_cdk_nag_has_a_reason_and_each_reason_a_finding(assembly: Path) -> None:
    found = cdk_nag.findings(assembly)

    assert found.keys() == cdk_nag.PACKS.keys()
    assert {finding.name for of_pack in found.values() for finding in of_pack} == cdk_nag.REASONS.keys()


def test_the_page_lists_what_cdk_nag_finds(assembly: Path) -> None:
    assert_is_current(cdk_nag.NAME, cdk_nag.page(assembly))


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
    assert all(
        name.endswith(("/incoming/*]", "/outgoing/*]", "<RuleMessageBucket32B990AD.Arn>/*]")) for name in of_rules
    ), of_rules


def test_cfn_lint_finds_nothing(assembly: Path) -> None:
    templates = sorted(map(str, assembly.glob("*.template.json")))
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", IGNORED, "--", *templates],
        check=False,
        capture_output=True,
        text=True,
    )

    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"].values()
    stacks = [each for each in artifacts if each["type"] == "aws:cloudformation:stack"]
    assert len(templates) == len(stacks) >= 10
    assert done.returncode == 0, done.stdout + done.stderr
