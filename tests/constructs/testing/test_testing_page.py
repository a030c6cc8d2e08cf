"""What docs/testing.md says of tests without a deployment; its example is test_documented_example.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from tests.constructs.testing.mail_stack import MailStack
from workmail_constructs import testing
from workmail_constructs.testing import EventFields, assert_workmail_can_invoke
from workmail_constructs.testing.rule_assertions import DeclaredFields

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Testing a stack without deploying")[2].partition("## Testing a rule with real mail")[0]


def part(heading: str) -> str:
    return SECTION.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]


@pytest.fixture
def template() -> dict[str, Any]:
    return dict(Template.from_stack(MailStack(App(), "Mail")).to_json())


def test_the_assertion_by_logical_id_runs_as_shown(template: dict[str, Any]) -> None:
    (statement,) = re.findall(r"```python\n(assert_.*?)```", SECTION, re.DOTALL)
    exec(statement, {"template": template, "assert_workmail_can_invoke": assert_workmail_can_invoke})  # noqa: S102


def test_the_failure_is_what_a_permission_without_source_arn_gives(template: dict[str, Any]) -> None:
    (statement,) = re.findall(r"```python\n(assert_.*?)```", SECTION, re.DOTALL)
    (permission,) = (
        each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Permission"
    )
    del permission["SourceArn"]

    with pytest.raises(AssertionError) as failure:
        exec(statement, {"template": template, "assert_workmail_can_invoke": assert_workmail_can_invoke})  # noqa: S102
    assert f"```text\nAssertionError: {failure.value}\n```" in SECTION


def test_every_public_name_is_on_the_page() -> None:
    named = set(re.findall(r"\w+", SECTION))
    assert set(testing.__all__) - {"EventEdition", "EventFields"} - named == set()
    assert set(re.findall(r"^\| `(assert_\w+)", SECTION, re.MULTILINE)) == {
        name for name in testing.__all__ if name.startswith("assert_")
    }


def test_the_tables_list_every_argument() -> None:
    rows = "".join(re.findall(r"^\| [^|]+ \|", part("Events"), re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == EventFields.__annotations__.keys()
    (row,) = re.findall(r"^\| `assert_rule_declared.*$", SECTION, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == DeclaredFields.__annotations__.keys()
