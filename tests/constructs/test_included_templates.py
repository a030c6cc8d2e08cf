"""Templates of ours that `CfnInclude` brings into an app: their rules never vanish without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import App, DefaultStackSynthesizer, Stack, Stage
from aws_cdk.assertions import Template
from aws_cdk.cloudformation_include import CfnInclude

from tests.constructs.stacks import new_function, new_rule, warnings_of
from workmail_constructs.declared_rules import from_cloud_assembly


def new_stack(scope: App | Stage, name: str) -> Stack:
    # CDK itself cannot include a template that checks the bootstrap version as the stack around does.
    return Stack(scope, name, synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False))


@pytest.fixture
def template_file(tmp_path: Path) -> str:
    """Synthesize a stack with a rule and return its template."""
    app = App(outdir=str(tmp_path / "old"))
    stack = new_stack(app, "Old")
    new_rule(stack, "Included", function=new_function(stack), senders=["included.example"])
    return str(Path(app.synth().directory, stack.template_file))


def declare(stack: Stack) -> None:
    new_rule(stack, "Own", function=new_function(stack, "OwnFunction"), senders=["own.example"])


@pytest.mark.parametrize("included_first", [True, False])
def test_a_stack_with_rules_cannot_include_rules(template_file: str, included_first: bool) -> None:
    app = App()
    stack = new_stack(app, "Mail")
    steps = [lambda: CfnInclude(stack, "Template", template_file=template_file), lambda: declare(stack)]
    for step in steps if included_first else reversed(steps):
        step()

    with pytest.raises(RuntimeError) as refused:
        app.synth()
    assert "Mail/Template: found an included template with the email flow rules 'Included'" in str(refused.value)
    assert "include the template in a stack of its own" in str(refused.value)


def test_included_rules_that_an_apps_lint_does_not_see_are_a_warning_once(template_file: str) -> None:
    app = App()
    included = new_stack(app, "Included")
    CfnInclude(included, "Template", template_file=template_file)
    stacks = [Stack(app, name) for name in ("One", "Two")]
    declare(stacks[0])
    new_rule(stacks[1], "Two", function=new_function(stacks[1]), senders=["two.example"])

    ((path, text),) = warnings_of(included)
    assert path == "/Included/Template"
    assert "found an included template with the email flow rules 'Included'" in text
    assert "`workmail-flow rules lint` and `rules runbook` on cdk.out" in text
    assert [warnings_of(stack) for stack in stacks] == [[], []]


def test_included_rules_of_a_stage_are_a_warning_too(template_file: str) -> None:
    app = App()
    stage = Stage(app, "Production")
    CfnInclude(new_stack(stage, "Included"), "Template", template_file=template_file)
    declare(Stack(app, "Mail"))

    (included,) = app.synth().get_nested_assembly(stage.artifact_id).stacks
    assert ["found an included template" in str(message.entry.data) for message in included.messages] == [True]


def test_included_rules_are_read_from_the_cloud_assembly(template_file: str) -> None:
    app = App()
    CfnInclude(new_stack(app, "Included"), "Template", template_file=template_file)

    (declared,) = from_cloud_assembly(Path(app.synth().directory))

    assert [rule.name for rule in declared.rules] == ["Included"]


def test_any_other_template_may_be_included_beside_rules(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"Outputs": {"Arn": {"Value": "x", "Description": "an ARN"}, "Other": {"Value": "y"}}}')
    stack = new_stack(App(), "Mail")
    CfnInclude(stack, "Template", template_file=str(file))
    declare(stack)

    assert warnings_of(stack) == []
    assert Template.from_stack(stack).find_outputs("Other") == {"Other": {"Value": "y"}}
