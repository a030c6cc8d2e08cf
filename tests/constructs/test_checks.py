"""Every kind of rule passes CDK's template validation, cdk-nag and cfn-lint, except as docs/cdk-nag.md explains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.constructs.checked_app import synthesize
from tests.constructs.pages import assert_is_current, cdk_nag

# cfn-lint: CDK itself writes a DependsOn from a function to its role beside the reference to it. The output with the
# ARN to type is in the rule's stack, whichever stack makes the function.
IGNORED = "W3005,W6001"

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
    details = {
        (violation["ruleName"], each["constructPath"].removesuffix("/DefaultPolicy/Resource"))
        for violation in violations
        for each in violation["violatingConstructs"]
        if "IAM" in violation["ruleName"]
    }
    of_any_resource = {path for name, path in details if name == "AwsSolutions-IAM5[Resource::*]"}
    of_rules = {name for name, path in details if path not in of_any_resource}

    assert of_any_resource == {
        "Alias/WorkMailOrganizationLookup/Role",
        "AgnosticAlias/WorkMailOrganizationLookup/Role",
        "Editing/Rule/Role",
        "Network/Rule/Role",
        "Traced/Rule/Role",
    }
    assert of_rules
    of_ids = (
        "/incoming/*]",
        "/outgoing/*]",
        "<RuleMessageBucket32B990AD.Arn>/*]",
        ":execution:Standard:*]",
        ":s3:::archive/*]",
    )
    assert all(name.endswith(of_ids) for name in of_rules), of_rules


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
