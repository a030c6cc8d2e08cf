"""docs/constructs.md is right: its examples run, and its tables list what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.constructs.stacks import HANDLER, new_stack, only
from workmail_constructs import FallbackAction, FlowDirection, RuleCode, Run, RunLambdaRule, WorkMailOrganization

PAGE = (Path(__file__).parents[2] / "docs" / "constructs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_statement_synthesizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "disclaimer").symlink_to(HANDLER)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(EXAMPLES[0].replace("App()", f"App(outdir={str(tmp_path / 'cdk.out')!r})"), names)  # noqa: S102 - our own page

    assert (tmp_path / "cdk.out" / "Mail.email-flow-rules.md").is_file()
    assert (tmp_path / "cdk.out" / "Mail.template.json").is_file()


def test_two_rules_share_a_function() -> None:
    stack = new_stack()
    names = {
        "stack": stack,
        "code": RuleCode.from_folder(HANDLER),
        "organization": WorkMailOrganization.from_organization_id(stack, "Org", "m-" + "0" * 32),
        "run": Run.synchronous(fallback=FallbackAction.DEFAULT),
        "FlowDirection": FlowDirection,
        "RunLambdaRule": RunLambdaRule,
    }
    exec(EXAMPLES[1], names)  # noqa: S102 - our own page

    only(stack, "AWS::Lambda::Function")
    only(stack, "AWS::Lambda::Permission")


@pytest.mark.parametrize("attribute", re.findall(r"^\| [a-z ]+ \| `(\w+)` \|", PAGE, re.MULTILINE))
def test_the_parts_are_attributes(attribute: str) -> None:
    assert attribute in {*RunLambdaRule.__annotations__, *vars(RunLambdaRule)}
