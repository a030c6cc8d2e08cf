"""Which changes of an app keep the ARN of a rule's function, and which replace it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from aws_cdk import App, CfnResource, NestedStack, Stack
from aws_cdk.aws_ecr import Repository
from aws_cdk.aws_lambda import Alias, DockerImageCode, DockerImageFunction, Function
from constructs import Construct
from moto import mock_aws
from typer.testing import CliRunner

from tests.constructs.stacks import new_function, new_rule
from workmail_constructs.cli.rules import app as rules
from workmail_constructs.declared_rules import from_cloud_assembly
from workmail_flow.function_change import function_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_flow.template import DeclaredRules


def synthesized(build: Callable[[Stack], None], folder: Path) -> DeclaredRules:
    app = App(outdir=str(folder))
    build(Stack(app, "Mail"))
    (declared,) = from_cloud_assembly(Path(app.synth().directory))
    return declared


def plain(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack))


def with_other_code(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack, description="changed", memory_size=512))


def with_other_rule_construct(stack: Stack) -> None:
    new_rule(stack, "Moved", name="Rule", function=new_function(stack))


def with_other_id(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack, "Renamed"))


def moved(stack: Stack) -> None:
    new_rule(stack, function=new_function(Construct(stack, "Inner")))


def moved_with_its_logical_id(stack: Stack) -> None:
    function = new_function(Construct(stack, "Inner"))
    child = function.node.default_child
    assert isinstance(child, CfnResource)
    child.override_logical_id("Existing4CC9759F")
    new_rule(stack, function=function)


def nested(stack: Stack) -> None:
    inner = NestedStack(stack, "Nested")
    new_rule(inner, function=new_function(inner))


def in_other_nested(stack: Stack) -> None:
    inner = NestedStack(stack, "Other")
    new_rule(inner, function=new_function(inner))


def rule_outside_of_nested(stack: Stack) -> None:
    new_rule(stack, function=new_function(NestedStack(stack, "Nested")))


def rule_inside_of_nested(stack: Stack) -> None:
    new_rule(NestedStack(stack, "Other"), function=new_function(stack))


def named(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack, function_name="disclaimer"))


def named_and_moved(stack: Stack) -> None:
    new_rule(stack, function=new_function(Construct(stack, "Inner"), function_name="disclaimer"))


def named_otherwise(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack, function_name="footer"))


def imported(stack: Stack) -> None:
    new_rule(stack, function=Function.from_function_name(stack, "Imported", "disclaimer"))


def with_image(stack: Stack) -> None:
    image = DockerImageCode.from_ecr(Repository.from_repository_name(stack, "Images", "images"))
    function = DockerImageFunction(stack, "Existing", code=image)
    new_rule(stack, function=function)


def alias(stack: Stack, id: str = "Live", name: str = "live", description: str = "") -> None:  # noqa: A002 - CDK's word
    function = new_function(stack, description=description)
    new_rule(stack, function=Alias(stack, id, alias_name=name, version=function.current_version))


def alias_of_new_version(stack: Stack) -> None:
    alias(stack, description="changed")


def alias_of_other_id(stack: Stack) -> None:
    alias(stack, id="Renamed")


def alias_of_other_name(stack: Stack) -> None:
    alias(stack, name="next")


def version(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack).current_version)


def next_version(stack: Stack) -> None:
    new_rule(stack, function=new_function(stack, description="changed").current_version)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (plain, with_other_code),
        (plain, with_other_rule_construct),
        (plain, moved_with_its_logical_id),
        (plain, rule_inside_of_nested),
        (nested, rule_outside_of_nested),
        (named, named_and_moved),
        (named, imported),
        (alias, alias_of_new_version),
        (alias, alias_of_other_id),
    ],
)
def test_an_arn_stays(before: Callable[[Stack], None], after: Callable[[Stack], None], tmp_path: Path) -> None:
    assert function_changes(synthesized(before, tmp_path / "before"), synthesized(after, tmp_path / "after")) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (plain, with_other_id),
        (plain, moved),
        (plain, nested),
        (nested, in_other_nested),
        (plain, named),
        (named, named_otherwise),
        (plain, with_image),
        (plain, alias),
        (alias, alias_of_other_name),
        (version, next_version),
    ],
)
def test_an_arn_changes(before: Callable[[Stack], None], after: Callable[[Stack], None], tmp_path: Path) -> None:
    (change,) = function_changes(synthesized(before, tmp_path / "before"), synthesized(after, tmp_path / "after"))

    assert change.before.name == "Rule"
    assert "of stack Mail" in change.to_do


def test_a_function_of_a_nested_stack_is_found_in_an_output_of_the_stack_around(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Mail")
    inner = NestedStack(NestedStack(stack, "Outer"), "Inner")
    rule = new_rule(inner, function=new_function(inner))
    output = stack.resolve(rule.function_arn_output.logical_id)

    (declared,) = from_cloud_assembly(Path(app.synth().directory))

    assert [each.function for each in declared.rules] == [f"the output {output} of stack Mail"]


@mock_aws
@pytest.mark.parametrize(("after", "exits"), [(plain, 0), (with_other_code, 0), (moved, 3)])
def test_a_deployed_stack_is_compared_with_the_app_that_will_replace_it(
    after: Callable[[Stack], None], exits: int, tmp_path: Path
) -> None:
    synthesized(plain, tmp_path / "deployed")
    body = (tmp_path / "deployed/Mail.template.json").read_text()
    boto3.client("ssm", "eu-west-1").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    boto3.client("cloudformation", "eu-west-1").create_stack(StackName="Mail", TemplateBody=body)
    synthesized(after, tmp_path / "cdk.out")

    compared = CliRunner().invoke(
        rules, ["diff", "--stack", "Mail", "--region", "eu-west-1", str(tmp_path / "cdk.out")]
    )

    assert compared.exit_code == exits, compared.output
