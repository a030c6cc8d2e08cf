"""docs/constructs.md and docs/watching-in-cdk.md are right: their examples run, and their tables list what there is."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

import pytest
from aws_cdk import aws_lambda
from aws_cdk.aws_sns import Topic

from tests.constructs.stacks import HANDLER, errors_of, new_rule, new_stack, only, properties_of
from workmail_constructs import (
    EmailEventLogging,
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailDashboard,
    WorkMailOrganization,
)
from workmail_constructs.packed_files import DEFAULT_EXCLUDES, NEVER_PACKED
from workmail_constructs.rule_function import FunctionOptions, PassedOptions
from workmail_constructs.watching.email_event_queries import EMAIL_EVENT_QUERIES
from workmail_flow.metrics import EDITS_FAILED, EDITS_REFUSED

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "constructs.md").read_text(encoding="utf-8")
WATCHING = (DOCS / "watching-in-cdk.md").read_text(encoding="utf-8")


def example(heading: str, page: str = PAGE) -> str:
    """Return the first example below a heading."""
    return page.partition(f"# {heading}\n")[2].partition("```python\n")[2].partition("```")[0]


def test_the_statement_synthesizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "disclaimer").symlink_to(HANDLER)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(example("Constructs").replace("App()", f"App(outdir={str(tmp_path / 'cdk.out')!r})"), names)  # noqa: S102 - our own page

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
    exec(example("An existing function"), names)  # noqa: S102 - our own page

    only(stack, "AWS::Lambda::Function")
    only(stack, "AWS::Lambda::Permission")


def test_a_users_own_function_fits_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "disclaimer").symlink_to(HANDLER)
    monkeypatch.chdir(tmp_path)
    stack = new_stack()
    exec(example("Code"), {"stack": stack, "RuleCode": RuleCode, **vars(aws_lambda)})  # noqa: S102 - our own page

    assert only(stack, "AWS::Lambda::Function")["Runtime"] == "python3.12"
    assert errors_of(stack) == []


def test_the_page_lists_what_is_left_out() -> None:
    table = PAGE.partition("| left out | why |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]

    assert listed == [*NEVER_PACKED, *DEFAULT_EXCLUDES]


def test_an_organization_is_looked_up_by_its_alias() -> None:
    stack = new_stack()
    exec(example("The organization"), {"stack": stack, "WorkMailOrganization": WorkMailOrganization})  # noqa: S102 - our own page

    assert only(stack, "Custom::WorkMailOrganization")["Alias"] == "acme"


def test_the_event_log_is_turned_on_with_alarms() -> None:
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(stack, "Org", "m-" + "0" * 32)
    names = {"EmailEventLogging": EmailEventLogging, "stack": stack, "organization": organization}
    exec(example("WorkMail's event log", WATCHING), {**names, "topic": Topic(stack, "OnCall")})  # noqa: S102 - our own page

    assert len(properties_of(stack, "AWS::CloudWatch::Alarm")) == 2


def test_the_page_lists_the_parts_and_the_numbers_of_the_event_log() -> None:
    section = WATCHING.partition("## WorkMail's event log\n")[2].partition("\n## ")[0]
    parts = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    numbers = dict(re.findall(r"^\| `(\w+)=(\d+)` \|", section, re.MULTILINE))
    defaults = {name: each.default for name, each in signature(EmailEventLogging.add_alarms).parameters.items()}

    assert parts == EmailEventLogging.__annotations__.keys() - {"organization"}
    assert {name: int(number) for name, number in numbers.items()} == {
        name: default for name, default in defaults.items() if isinstance(default, int)
    }


@pytest.mark.parametrize("attribute", re.findall(r"^\| [a-z ]+ \| `(\w+)` \|", PAGE, re.MULTILINE))
def test_the_parts_are_attributes(attribute: str) -> None:
    assert attribute in {*RunLambdaRule.__annotations__, *vars(RunLambdaRule)}


def test_the_page_lists_the_options_that_are_passed_to_cdk_and_no_others() -> None:
    section = PAGE.partition("## Options of the function\n")[2].partition("\n## ")[0]
    passed = section.partition("as they are:")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    own = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert re.findall(r"`(\w+)`", passed) == sorted(PassedOptions.__annotations__)
    assert own | set(PassedOptions.__annotations__) == set(FunctionOptions.__annotations__)


def test_the_night_page_sets_up_what_it_asks() -> None:
    page = (DOCS / "watching.md").read_text(encoding="utf-8")
    stack = new_stack()
    rule = new_rule(stack)
    names = {"stack": stack, "rule": rule, "organization": rule.organization, "topic": Topic(stack, "OnCall")}
    names |= {"EmailEventLogging": EmailEventLogging, "WorkMailDashboard": WorkMailDashboard}
    exec(example("Set it up once", page), names)  # noqa: S102 - our own page
    for query in EMAIL_EVENT_QUERIES.keys() - {"Which mail failed DMARC"}:
        assert f"*{query}*" in page
    for metric in (EDITS_REFUSED, EDITS_FAILED):
        assert f"`{metric}`" in page


def test_a_rule_is_watched() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    names = {"stack": stack, "rule": rule, "organization": rule.organization, "topic": Topic(stack, "OnCall")}
    exec(example("Alarms", WATCHING), {**names})  # noqa: S102 - our own page
    assert len(properties_of(stack, "AWS::CloudWatch::Alarm")) == 3

    stack = new_stack()
    rule = new_rule(stack)
    names = {"stack": stack, "rule": rule, "organization": rule.organization, "topic": Topic(stack, "OnCall")}
    exec(example("Dashboard", WATCHING), {**names, "WorkMailDashboard": WorkMailDashboard})  # noqa: S102 - our own page
    only(stack, "AWS::CloudWatch::Dashboard")
