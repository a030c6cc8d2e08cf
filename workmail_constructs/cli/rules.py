"""`workmail-flow rules`: check, test, explain and compare the email flow rules of a file, an app or a stack."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from workmail_constructs.cli.terminal import echo, echo_json, fail, wrong
from workmail_flow.address import address_problem
from workmail_flow.change_runbook import change_runbook, exposure_in_words, rule_changes
from workmail_flow.diff import diff as differences
from workmail_flow.diff import effect_in_words
from workmail_flow.explain import explain as explanation
from workmail_flow.function_change import function_changes, with_functions_of
from workmail_flow.lint import Severity
from workmail_flow.lint import lint as findings_of
from workmail_flow.rule_problems import RuleError
from workmail_flow.rule_set import RuleSet
from workmail_flow.runbook import runbook as full_runbook
from workmail_flow.template import TemplateError
from workmail_flow.vocabulary import FlowDirection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workmail_flow.change_runbook import RuleChanges
    from workmail_flow.lint import LintFinding
    from workmail_flow.rule_problems import RuleProblem
    from workmail_flow.template import DeclaredRules

EXIT_OF_CHANGED_ARN: Final = 3
SCHEMA_FILE: Final = "rule-file.schema.json"
UNKNOWN_ORGANIZATION: Final = "(not known: a rule file names none)"

app = typer.Typer(help="Check, test, explain and compare email flow rules.", no_args_is_help=True)

Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A rule file (.json, .yaml, .yml), or the cdk.out folder of a synthesized app. Omit it with --stack.",
        exists=True,
    ),
]
Stack = Annotated[str | None, typer.Option("--stack", metavar="NAME", help="Read a deployed stack, with boto3.")]
Region = Annotated[str | None, typer.Option("--region", help="The Region of --stack.")]
Profile = Annotated[str | None, typer.Option("--profile", help="The AWS profile for --stack.")]
OrganizationId = Annotated[
    str | None, typer.Option("--organization", metavar="ID", help="One organization of several in an app or a stack.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def lint(
    source: Source = None,
    *,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    organization: OrganizationId = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too, unless acknowledged.")] = False,
    as_json: Json = False,
) -> None:
    """Report what is wrong, risky or unsettled. Fails if there is an error."""
    found: list[dict[str, Any]] = []
    if source and not source.is_dir():
        rule_set, problems = RuleSet.read(_content(source))
        found += (_problem_as_json(problem) for problem in problems)
        found += (_finding_as_json(finding, None) for finding in findings_of(rule_set))
    else:
        for declared in declared_rules(source, stack, region, profile, organization):
            found += (
                _finding_as_json(finding, declared.organization_id)
                for finding in findings_of(declared.rules, organization_domains=declared.domains)
            )
    grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    failed = any(finding["severity"] in grave and not finding["acknowledged"] for finding in found)
    if as_json:
        echo_json({"findings": found})
    else:
        for finding in found:
            _print_finding(finding)
        counts = [sum(finding["severity"] == severity for finding in found) for severity in Severity]
        echo(", ".join(f"{count} {severity}" for count, severity in zip(counts, Severity, strict=True)))
    raise typer.Exit(1 if failed else 0)


def _direction(value: str) -> FlowDirection:
    if value.upper() in tuple(FlowDirection):
        return FlowDirection(value.upper())
    raise wrong(f"found {value!r}; allowed are inbound, outbound")


def _address(value: str | None) -> str | None:
    if value is not None and (problem := address_problem(value)):
        raise wrong(f"found {value!r}: {problem}; a full address like mailbox@example.com is needed (F14)")
    return value


@app.command("test")
def decide(
    source: Source = None,
    *,
    direction: Annotated[
        str, typer.Option(callback=_direction, metavar="inbound|outbound", help="Which way the message travels.")
    ],
    sender: Annotated[str, typer.Option(callback=_address, help="The Sender header's address.")],
    recipient: Annotated[str, typer.Option(callback=_address, help="One recipient's address.")],
    from_: Annotated[
        str | None,
        typer.Option("--from", callback=_address, help="The From header's address, if it differs."),
    ] = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    organization: OrganizationId = None,
    as_json: Json = False,
) -> None:
    """Show which rule decides for a sender and a recipient, as the console's Test does."""
    rule_set = one(declared_rules(source, stack, region, profile, organization)).rules
    decision = rule_set.decide(
        direction=FlowDirection(direction), sender=sender, from_=from_ or sender, recipient=recipient
    )
    name = decision.rule.name if decision.rule else None
    if as_json:
        lost = [{"rule": lost.rule.name, "reason": lost.reason} for lost in decision.lost]
        echo_json({"rule": name, "action": decision.action, "reason": decision.reason, "lost": lost})
        return
    echo(f"{decision.action}: {f'rule {name!r}' if name else 'no rule'}")
    echo(f"  {decision.reason}")
    for lost_rule in decision.lost:
        echo(f"  not rule {lost_rule.rule.name!r}: {lost_rule.reason}")


@app.command()
def explain(
    source: Source = None,
    *,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    organization: OrganizationId = None,
) -> None:
    """Show the rules as a Mermaid diagram and a table of who gets what, in Markdown."""
    for declared in declared_rules(source, stack, region, profile, organization):
        echo(f"# Email flow rules of organization {declared.organization_id}\n")
        echo(explanation(declared.rules))


@app.command()
def runbook(
    source: Source = None,
    *,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="OLD", help="What was typed before: a rule file or a cdk.out.", exists=True),
    ] = None,
    from_stack: Annotated[
        str | None, typer.Option("--from-stack", metavar="NAME", help="The same, of a deployed stack.")
    ] = None,
    organization: OrganizationId = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the steps of a change as JSON.")] = False,
) -> None:
    """Print what to type in the console, in an order that loses no mail meanwhile, in Markdown.

    With --from or --from-stack it prints what to change: which field of which rule, in a safe order.
    """
    if from_ and from_stack:
        raise wrong("give either --from OLD or --from-stack NAME")
    if as_json and not (from_ or from_stack):
        raise wrong("--json prints the steps of a change; give --from OLD or --from-stack NAME")
    new = declared_rules(source, stack, region, profile, organization)
    if not (from_ or from_stack):
        echo("\n".join(full_runbook(declared) for declared in new), nl=False)
        return
    old = declared_rules(from_, from_stack, region, profile, None)
    changes = [rule_changes(*pair) for pair in _pairs(old, new, only_new=organization is not None)]
    if as_json:
        echo_json({"organizations": [_changes_as_json(each) for each in changes]})
        return
    echo("\n".join(change_runbook(each) for each in changes), nl=False)


def _pairs(
    old: Sequence[DeclaredRules], new: Sequence[DeclaredRules], *, only_new: bool
) -> list[tuple[DeclaredRules, DeclaredRules]]:
    """Return the old and the new rules of each organization; one that is on one side only has no rules on the other."""
    if len(old) == len(new) == 1:
        # A rule file names no organization, and a synthesized app may know only where to find it.
        return [(old[0], new[0])]
    by_id = {each.organization_id: each for each in old}
    pairs = [(by_id.pop(each.organization_id, replace(each, rules=RuleSet())), each) for each in new]
    return pairs if only_new else pairs + [(each, replace(each, rules=RuleSet())) for each in by_id.values()]


def _changes_as_json(changes: RuleChanges) -> dict[str, Any]:
    return {
        "organization": changes.after.organization_id,
        "steps": [
            {
                "do": step.kind,
                "direction": step.rule.direction.lower(),
                "rule": step.rule.name,
                "deployment": step.when,
                "before": step.before and step.before.to_json(),
                "after": step.after and step.after.to_json(),
                "warnings": [exposure_in_words(exposure) for exposure in step.exposures],
            }
            for step in changes.steps
        ],
        "toCompare": [rule.name for rule in changes.unknown],
    }


@app.command()
def diff(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="[OLD] NEW", help="Two rule files or cdk.out folders; only NEW with --stack.", exists=True
        ),
    ],
    *,
    stack: Annotated[str | None, typer.Option("--stack", metavar="NAME", help="A deployed stack as OLD.")] = None,
    region: Region = None,
    profile: Profile = None,
    organization: OrganizationId = None,
    as_json: Json = False,
) -> None:
    """Show whose mail NEW treats differently than OLD, whatever the names of the rules.

    Fails with status 3 if a deployment of NEW changes a function ARN that an administrator has typed.
    """
    if len(sources) != (1 if stack else 2):
        raise wrong("give OLD and NEW, or --stack NAME and NEW")
    old = one(declared_rules(None if stack else sources[0], stack, region, profile, organization))
    new = one(declared_rules(sources[-1], None, region, profile, organization))
    changes = differences(old.rules, with_functions_of(old, new))
    replaced = function_changes(old, new)
    if as_json:
        echo_json(
            {
                "changes": [
                    {
                        "direction": change.direction.lower(),
                        "senders": [pattern.text for pattern in change.senders],
                        "destinations": [pattern.text for pattern in change.destinations],
                        "before": effect_in_words(change.before),
                        "after": effect_in_words(change.after),
                    }
                    for change in changes
                ],
                "functionChanges": [
                    {
                        "rule": change.before.name,
                        "direction": change.before.direction.lower(),
                        "before": change.before.function,
                        "after": change.after and change.after.function,
                        "toDo": change.to_do,
                        "untilThen": change.until_then,
                        "toKeepTheArn": change.way_out,
                    }
                    for change in replaced
                ],
            }
        )
    else:
        for change in replaced:
            first, *rest = str(change).splitlines()
            echo(f"ARN CHANGES: {first}", fg=typer.colors.RED, bold=True)
            echo("\n".join(rest))
        for mail in changes:
            echo(str(mail))
        if not changes and not replaced:
            echo("No mail is treated differently.")
    raise typer.Exit(EXIT_OF_CHANGED_ARN if replaced else 0)


@app.command()
def schema() -> None:
    """Print the JSON schema of rule files."""
    echo(files("workmail_constructs.cli").joinpath(SCHEMA_FILE).read_text(encoding="utf-8"), nl=False)


def declared_rules(
    source: Path | None, stack: str | None, region: str | None, profile: str | None, organization: str | None
) -> Sequence[DeclaredRules]:
    """Read the rules, one entry per organization."""
    if (source is None) is (stack is None):
        raise wrong("give either FILE, a rule file or a cdk.out folder, or --stack NAME")
    declared = _or_fail(lambda: _of_stack(stack, region, profile) if stack else _of_path(source or Path()))
    if not declared:
        place = source or f"stack {stack}"
        fail(f"{place}: no email flow rules are declared; EmailFlowRules and RunLambdaRule declare them")
    if organization is not None:
        chosen = [entry for entry in declared if entry.organization_id == organization]
        if not chosen:
            found = ", ".join(entry.organization_id for entry in declared) or "none"
            raise wrong(f"no rules for organization {organization!r}; found {found}")
        return chosen
    return declared


def _of_path(source: Path) -> Sequence[DeclaredRules]:
    from workmail_flow.template import DeclaredRules

    if source.is_dir():
        from workmail_constructs.declared_rules import from_cloud_assembly

        return from_cloud_assembly(source)
    try:
        rules = RuleSet.from_json(_content(source))
    except RuleError as error:
        fail(f"{source}: {error}")
    return [DeclaredRules(organization_id=UNKNOWN_ORGANIZATION, organization_arn="", domains=(), rules=rules)]


def _of_stack(stack: str, region: str | None, profile: str | None) -> Sequence[DeclaredRules]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from workmail_constructs.declared_rules import from_deployed_stack

    try:
        if profile is not None:
            boto3.setup_default_session(profile_name=profile)
        return from_deployed_stack(stack, region=region)
    except (BotoCoreError, ClientError) as error:
        fail(f"stack {stack}: {error}")


def _or_fail(read: Callable[[], Sequence[DeclaredRules]]) -> Sequence[DeclaredRules]:
    """Read, or end with the error's message."""
    try:
        return read()
    except (RuleError, TemplateError) as error:
        fail(str(error))


def one(declared: Sequence[DeclaredRules]) -> DeclaredRules:
    """Return the rules of the only organization, or end as a wrong command."""
    if len(declared) != 1:
        found = ", ".join(entry.organization_id for entry in declared) or "none"
        raise wrong(f"rules of one organization are needed, found {found}; choose with --organization")
    return declared[0]


def _content(file: Path) -> object:
    """Parse a rule file."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix.lower() not in (".yaml", ".yml"):
            return json.loads(text)
    except (ValueError, RecursionError) as error:
        fail(f"{file}: not JSON ({error}); a rule file is JSON, or YAML named .yaml or .yml")
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        fail(f"{file}: not YAML: {error}\nPatterns that begin with a star need quotes: '*', '*.example.com'")


def _finding_as_json(finding: LintFinding, organization: str | None) -> dict[str, Any]:
    witness = finding.witness
    return {
        "code": finding.code,
        "severity": finding.severity,
        "rules": list(finding.rules),
        "message": finding.message,
        "remedy": finding.remedy,
        "witness": witness
        and {"direction": witness.direction.lower(), "sender": witness.sender, "recipient": witness.recipient},
        "acknowledged": finding.acknowledged,
        "organization": organization,
    }


def _problem_as_json(problem: RuleProblem) -> dict[str, Any]:
    """Return a problem in the shape of a finding; its message already says what to do."""
    return {
        "code": problem.fault,
        "severity": Severity.ERROR,
        "rules": [],
        "message": str(problem),
        "remedy": "",
        "witness": None,
        "acknowledged": None,
        "organization": None,
    }


def _print_finding(finding: dict[str, Any]) -> None:
    colour = {Severity.ERROR: typer.colors.RED, Severity.WARNING: typer.colors.YELLOW, Severity.INFO: typer.colors.BLUE}
    echo(f"{finding['severity']} {finding['code']}", fg=colour[finding["severity"]], bold=True)
    echo(f"  {finding['message']}")
    if finding["remedy"]:
        echo(f"  {finding['remedy']}")
    if finding["acknowledged"]:
        echo(f"  acknowledged: {finding['acknowledged']}")
