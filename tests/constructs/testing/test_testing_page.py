"""What docs/testing.md says of tests without a deployment; its example is test_documented_example.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from tests.constructs.stacks import new_rule, new_stack
from tests.constructs.testing.mail_stack import MailStack
from workmail_constructs import ContentAccess, testing
from workmail_constructs.testing import EventFields
from workmail_constructs.testing.rule_assertions import DeclaredFields

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Testing a stack without deploying")[2].partition("## Testing a rule with real mail")[0]


def part(heading: str) -> str:
    return SECTION.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]


BY_LOGICAL_ID, OF_UPDATES = (
    next(block for block in re.findall(r"```python\n(assert_.*?)```", SECTION, re.DOTALL) if word in block)
    for word in ("organization=", "update")
)
NAMES = {name: getattr(testing, name) for name in testing.__all__}


@pytest.fixture
def template() -> dict[str, Any]:
    return dict(Template.from_stack(MailStack(App(), "Mail")).to_json())


def test_the_assertion_by_logical_id_runs_as_shown(template: dict[str, Any]) -> None:
    exec(BY_LOGICAL_ID, {**NAMES, "template": template})  # noqa: S102 - our own page


def test_the_assertions_on_updates_hold_for_a_rule_that_updates() -> None:
    stack = new_stack()
    rule = new_rule(stack, content_access=ContentAccess.UPDATE)
    exec(OF_UPDATES, {**NAMES, "stack": stack, "rule": rule})  # noqa: S102 - our own page


def test_the_failure_is_what_a_permission_without_source_arn_gives(template: dict[str, Any]) -> None:
    (permission,) = (
        each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Permission"
    )
    del permission["SourceArn"]

    with pytest.raises(AssertionError) as failure:
        exec(BY_LOGICAL_ID, {**NAMES, "template": template})  # noqa: S102 - our own page
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
