"""`workmail-flow rules` on files and synthesized apps, as a user runs it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from tests.unit.flow.rule_files import entry, rules
from workmail_constructs.cli.rules import app
from workmail_flow.template import DeclaredRules

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).resolve().parents[2] / "docs/rules.md"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def rule_file(tmp_path: Path) -> Callable[..., Path]:
    def write(*entries: object, name: str = "rules.json") -> Path:
        file = tmp_path / name
        file.write_text(json.dumps({"rules": entries}), encoding="utf-8")
        return file

    return write


def cdk_out(folder: Path, *organizations: dict[str, Any]) -> Path:
    """A cloud assembly with one stack that declares rules."""
    folder.mkdir()
    manifest = {
        "version": "1",
        "artifacts": {"Mail": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}}},
    }
    template = {"Metadata": {"WorkMailEmailFlow": {"version": 1, "organizations": organizations}}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "t.json").write_text(json.dumps(template), encoding="utf-8")
    return folder


def organization(number: int, *entries: dict[str, Any]) -> dict[str, Any]:
    identifier = f"m-{number:032x}"
    return {"organizationId": identifier, "organizationArn": f"arn:{identifier}", "domains": [], "rules": entries}


ASK = ("--direction", "inbound", "--sender", "a@x.test", "--recipient", "me@own.test")


@pytest.mark.fact("F14")
def test_test_prints_rule_action_and_reason(rule_file: Callable[..., Path]) -> None:
    result = run("test", rule_file(entry("DROP", "x.test"), entry("DEFAULT")), *ASK, "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["rule"], answer["action"]) == ("DROP", "DROP")
    assert "x.test (domain)" in answer["reason"]
    assert [lost["rule"] for lost in answer["lost"]] == ["DEFAULT"]
    assert json.loads(run("test", rule_file(), *ASK, "--json").stdout)["rule"] is None


@pytest.mark.fact("F7")
def test_test_takes_a_from_address_of_its_own(rule_file: Callable[..., Path]) -> None:
    file = rule_file(entry("DROP", "y.test"))
    assert run("test", file, *ASK).stdout.startswith("DEFAULT: no rule")
    assert run("test", file, *ASK, "--from", "b@y.test").stdout.startswith("DROP: rule 'DROP'")


@pytest.mark.parametrize("wrong", [("--sender", "x.test"), ("--recipient", "*"), ("--direction", "up")])
def test_test_takes_full_addresses_only(rule_file: Callable[..., Path], wrong: tuple[str, str]) -> None:
    result = run("test", rule_file(), *ASK, *wrong)
    assert result.exit_code == 2
    assert f"found '{wrong[1]}'" in result.stderr


def test_lint_fails_on_errors(rule_file: Callable[..., Path]) -> None:
    assert run("lint", rule_file(entry("DROP"), entry("DROP"))).exit_code == 1


def test_strict_lint_fails_on_warnings_that_nobody_acknowledges(rule_file: Callable[..., Path]) -> None:
    dead = entry("DEFAULT")
    assert run("lint", rule_file(dead, entry("DROP"))).exit_code == 0
    assert run("lint", rule_file(dead, entry("DROP")), "--strict").exit_code == 1
    reason = "kept for the day the Drop rule goes"
    dead["acknowledge"] = {"never-decides": reason, "overlaps-drop": reason}
    result = run("lint", rule_file(dead, entry("DROP")), "--strict")
    assert result.exit_code == 0
    assert "acknowledged: kept for the day" in result.stdout


def test_lint_reports_what_workmail_would_refuse_beside_the_rest(rule_file: Callable[..., Path]) -> None:
    synchronous = entry("RUN_LAMBDA", "*", "own.test", synchronous=True, function="f", fallback="MOVE_TO_JUNK")
    result = run("lint", rule_file(synchronous, entry("DROP"), entry("MOVE_TO_JUNK")), "--json")
    assert result.exit_code == 1
    assert [(finding["code"], finding["severity"]) for finding in json.loads(result.stdout)["findings"]] == [
        ("synchronous-destination", "error"),
        ("never-decides", "warning"),
        ("overlaps-drop", "warning"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", "{", "not JSON"),
        ("r.json", "[" * 100_000, "not JSON"),
        ("r.json", "\ud800", "not JSON"),
        ("r.yaml", "rules:\n- senders: [*.x.test]", "Patterns that begin with a star need quotes"),
        ("r.yaml", "- 1", "a rule file is"),
        ("r.json", '{"rules": [{"name": 1}]}', "$.rules[0].name: found 1; a string is needed"),
    ],
)
def test_a_bad_file_is_reported_with_its_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    result = run("test", file, *ASK)
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert message in result.stderr
    assert result.stdout == ""


def test_a_synthesized_app_is_read_like_a_file(tmp_path: Path) -> None:
    function = {"Fn::GetAtt": ["Fn1", "Arn"]}
    rule = entry("RUN_LAMBDA", function=function, synchronous=True)
    folder = cdk_out(tmp_path / "cdk.out", organization(1, rule))
    assert run("test", folder, *ASK).stdout.startswith("RUN_LAMBDA")
    assert "the ARN found in $" in run("runbook", folder).stdout
    assert f"organization m-{1:032x}" in run("explain", folder).stdout
    assert run("lint", folder).exit_code == 0


def test_one_organization_of_several_is_chosen(tmp_path: Path) -> None:
    folder = cdk_out(tmp_path / "cdk.out", organization(1, entry("DROP")), organization(2, entry("BOUNCE")))
    assert run("test", folder, *ASK).exit_code == 2
    assert run("test", folder, *ASK, "--organization", f"m-{2:032x}").stdout.startswith("BOUNCE")
    assert run("test", folder, *ASK, "--organization", "m-9").exit_code == 2


def test_a_folder_without_rules_is_reported(tmp_path: Path) -> None:
    result = run("lint", cdk_out(tmp_path / "cdk.out"))
    assert result.exit_code == 1
    assert "no email flow rules are declared" in result.stderr


def test_diff_shows_who_is_affected(rule_file: Callable[..., Path]) -> None:
    old, new = rule_file(entry("DROP"), name="old.json"), rule_file(entry("BOUNCE"), name="new.json")
    (change,) = json.loads(run("diff", old, new, "--json").stdout)["changes"]
    assert (change["senders"], change["before"]) == (["*"], "DROP (rule 'DROP')")
    assert run("diff", old, old).stdout == "No mail is treated differently.\n"
    assert run("diff", old).exit_code == 2


def test_a_source_is_needed_and_only_one(rule_file: Callable[..., Path]) -> None:
    assert run("explain").exit_code == 2
    assert run("explain", rule_file(), "--stack", "Mail").exit_code == 2


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(run("schema").stdout)
    return schema


@pytest.mark.parametrize(
    "written",
    [
        entry("DROP", "* x.test *.x.test a@x.test"),
        entry("RUN_LAMBDA", synchronous=True, function="f", fallback="DROP", ruleTimeoutMinutes=0, readsContent=True),
        entry("ROUTE_TO_SMTP_GATEWAY", direction="outbound", smtpGateway="gate", acknowledge={"no-retry": "why"}),
    ],
)
def test_the_schema_takes_what_is_a_rule(rule_file: Callable[..., Path], written: dict[str, Any]) -> None:
    jsonschema.validate({"rules": [written]}, _schema())
    assert run("explain", rule_file(written)).exit_code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"senders": []},
        {"senders": ["a+b@x.test"]},
        {"direction": "up"},
        {"action": "drop"},
        {"ruleTimeoutMinutes": 241},
        {"synchronous": "yes"},
        {"fallback": "RUN_LAMBDA"},
        {"acknowledge": {"x": ""}},
        {"unknown": 1},
    ],
)
def test_the_schema_refuses_what_is_not_a_rule(rule_file: Callable[..., Path], change: dict[str, Any]) -> None:
    written = {**entry("RUN_LAMBDA", function="f", synchronous=True), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rules": [written]}, _schema())
    assert run("explain", rule_file(written)).exit_code == 1


def test_the_schema_knows_the_keys_that_are_read() -> None:
    from workmail_flow.rule_entry import KEYS

    rule = _schema()["$defs"]["rule"]
    assert set(rule["properties"]) == set(KEYS)
    assert set(rule["required"]) == {key for key, needed in KEYS.items() if needed}


def test_the_docs_show_true_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS.read_text(encoding="utf-8")
    documented = re.search(r"```yaml\n(rules:.+?)```", page, re.DOTALL)
    assert documented
    Path("rules.yaml").write_text(documented[1], encoding="utf-8")
    without = re.sub(r"  - name: Allow.+?(?=  - name)", "", documented[1], flags=re.DOTALL)
    Path("new.yaml").write_text(without, encoding="utf-8")
    broken = entry("RUN_LAMBDA", "mary+news@x.test", synchronous=True, ruleTimeoutMinutes=241)
    Path("broken.json").write_text(json.dumps({"rules": [broken]}), encoding="utf-8")
    shown = [block for block in re.findall(r"```console\n(.+?)```", page, re.DOTALL) if "rules" in block]
    assert len(shown) == 4
    for block in shown:
        for command, output in re.findall(r"^\$ workmail-flow rules (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            result = run(*shlex.split(command))
            assert result.stdout + result.stderr == output, command
    table = re.search(r"```markdown\n(.+?)```", page, re.DOTALL)
    assert table
    assert table[1] in run("explain", "rules.yaml").stdout


def test_a_deployed_stack_is_read_with_the_profile_and_region_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def deployed(stack_name: str, *, region: str | None) -> tuple[DeclaredRules, ...]:
        asked.append((stack_name, region))
        return (
            DeclaredRules(
                organization_id="m-x", organization_arn="", domains=("own.test",), rules=rules(entry("BOUNCE"))
            ),
        )

    monkeypatch.setattr("workmail_constructs.declared_rules.from_deployed_stack", deployed)
    result = run("test", *ASK, "--stack", "Mail", "--region", "eu-west-1")
    assert result.stdout.startswith("BOUNCE: rule 'BOUNCE'")
    assert asked == [("Mail", "eu-west-1")]


ARN = "arn:aws:lambda:eu-west-1:111122223333:function:Mail-Function1"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a stack `Mail` deployed whose rule runs its `Function`."""

    def deployed(stack_name: str, *, region: str | None) -> tuple[DeclaredRules, ...]:
        rule_set = rules(entry("RUN_LAMBDA", function=ARN, synchronous=True))
        functions = {ARN: f"function Function of stack {stack_name}"}
        return (
            DeclaredRules(
                organization_id=f"m-{1:032x}", organization_arn="", domains=(), rules=rule_set, functions=functions
            ),
        )

    monkeypatch.setattr("workmail_constructs.declared_rules.from_deployed_stack", deployed)


def app_with_function(folder: Path, logical_id: str) -> Path:
    """A synthesized app whose stack `Mail` has a rule with a function of this logical id."""
    arn = {"Fn::GetAtt": [logical_id, "Arn"]}
    cdk_out(folder, organization(1, entry("RUN_LAMBDA", function=arn, synchronous=True)))
    template = json.loads((folder / "t.json").read_text())
    template["Resources"] = {logical_id: {"Type": "AWS::Lambda::Function"}}
    template["Outputs"] = {"FunctionArn": {"Value": arn}}
    (folder / "t.json").write_text(json.dumps(template))
    return folder


@pytest.mark.usefixtures("deployed")
def test_an_app_as_deployed_differs_in_nothing_from_its_deployed_stack(tmp_path: Path) -> None:
    result = run("diff", "--stack", "Mail", app_with_function(tmp_path / "cdk.out", "Function"))
    assert (result.stdout, result.exit_code) == ("No mail is treated differently.\n", 0)


@pytest.mark.usefixtures("deployed")
def test_diff_fails_loudly_if_a_deployment_changes_a_typed_arn(tmp_path: Path) -> None:
    app_folder = app_with_function(tmp_path / "cdk.out", "Renamed")
    result = run("diff", "--stack", "Mail", app_folder)
    assert result.exit_code == 3
    assert result.stdout.splitlines()[:4] == [
        "ARN CHANGES: inbound rule 'RUN_LAMBDA' needs another function ARN",
        f"  typed now: {ARN}",
        "  to do: right after the deployment, type the ARN found in the output FunctionArn of stack Mail",
        "  until then: its mail gets the fallback action DEFAULT after 30 minutes",
    ]
    as_json = run("diff", "--stack", "Mail", app_folder, "--json")
    assert as_json.exit_code == 3
    (change,) = json.loads(as_json.stdout)["functionChanges"]
    assert (change["rule"], change["before"], change["after"]) == (
        "RUN_LAMBDA",
        ARN,
        "the output FunctionArn of stack Mail",
    )


@pytest.mark.usefixtures("deployed")
def test_the_runbook_of_a_change_begins_with_the_arns_to_type_anew(tmp_path: Path) -> None:
    old, new = (app_with_function(tmp_path / name, name) for name in ("Function", "Renamed"))
    title = "## Rules that need another function ARN"
    assert title in run("runbook", new, "--from", old).stdout
    from_stack = run("runbook", new, "--from-stack", "Mail").stdout
    assert f"    - typed now: {ARN}\n" in from_stack
    assert from_stack.index(title) < from_stack.index("## 1. Edit RUN\\_LAMBDA")
    assert title not in run("runbook", old, "--from-stack", "Mail").stdout
    assert title not in run("runbook", new).stdout
    assert run("runbook", new, "--from", old, "--from-stack", "Mail").exit_code == 2


def test_the_runbook_of_a_change_covers_the_organizations_of_both_sides(tmp_path: Path) -> None:
    old = cdk_out(tmp_path / "old", organization(1, entry("DROP")), organization(2, entry("BOUNCE")))
    new = cdk_out(tmp_path / "new", organization(1, entry("DROP", "x.test")), organization(3, entry("DEFAULT")))
    found = json.loads(run("runbook", new, "--from", old, "--json").stdout)["organizations"]
    assert [(each["organization"][-1], [(step["do"], step["rule"]) for step in each["steps"]]) for each in found] == [
        ("1", [("edit", "DROP")]),
        ("3", [("create", "DEFAULT")]),
        ("2", [("delete", "BOUNCE")]),
    ]
    assert (found[0]["steps"][0]["before"]["senders"], found[0]["steps"][0]["after"]["senders"]) == (["*"], ["x.test"])
    one = run("runbook", new, "--from", old, "--organization", f"m-{1:032x}").stdout
    assert one.count("# Changes to the email flow rules of organization") == 1
    assert "| Sender domains or addresses | remove `*` | add `x.test` |" in one
    assert run("runbook", new, "--json").exit_code == 2


def test_a_stack_that_cannot_be_read_is_reported() -> None:
    result = run("test", *ASK, "--stack", "Mail", "--region", "eu-west-1", "--profile", "nobody")
    assert result.exit_code == 1
    assert result.stderr == "stack Mail: The config profile (nobody) could not be found\n"
