"""An app with stacks in stages, each with something to report; run by test_cdk_synth with the real CDK CLI."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aws_cdk import App, Aspects, Environment, Stack, Stage
from aws_cdk.aws_iam import ServicePrincipal
from aws_cdk.aws_s3 import Bucket
from aws_cdk.pipelines import CodePipeline, CodePipelineSource, ShellStep

from tests.constructs.stacks import ACCOUNT, HERE, new_function, new_rule
from workmail_constructs.workmail_permission_checks import WorkMailPermissionChecks

if TYPE_CHECKING:
    from collections.abc import Callable


def stages(app: App, fill: Callable[[Stage], None]) -> None:
    """Put stacks into a stage of the app, and into a stage of that stage."""
    outer = Stage(app, "Outer")
    fill(outer)
    fill(Stage(outer, "Inner"))


def pipeline(app: App, fill: Callable[[Stage], None]) -> None:
    """Put stacks into each of a pipeline's stages; CDK synthesizes each as it is added."""
    stack = Stack(app, "Delivery", env=HERE)
    source = CodePipelineSource.s3(Bucket(stack, "Source"), "source.zip")
    delivery = CodePipeline(stack, "Pipeline", synth=ShellStep("Synth", input=source, commands=["cdk synth"]))
    for name in ("Test", "Production"):
        each = Stage(stack, name)
        fill(each)
        delivery.add_stage(each)


def permission(stage: Stage) -> None:
    """Let any organization call a function."""
    principal = ServicePrincipal("workmail.eu-west-1.amazonaws.com")
    new_function(Stack(stage, "Mail", env=HERE)).add_permission("WorkMail", principal=principal)


def region(stage: Stage) -> None:
    """Declare a rule in a Region without WorkMail."""
    stack = Stack(stage, "Abroad", env=Environment(region="eu-central-1", account=ACCOUNT))
    new_rule(stack, stage.node.id, function=new_function(stack), senders=[f"{stage.node.id}.example"])


def name(stage: Stage) -> None:
    """Declare two rules of one name; in a pipeline each stage has one of them."""
    for stack in (Stack(stage, "One", env=HERE), Stack(stage, "Two", env=HERE)):
        new_rule(stack, function=new_function(stack), senders=[f"{stack.artifact_id}.example".lower()])


def right(stage: Stage) -> None:
    """Declare a rule as it should be."""
    stack = Stack(stage, "Mail", env=HERE)
    new_rule(stack, stage.node.id, function=new_function(stack), senders=[f"{stage.node.id}.example"])


if __name__ == "__main__":
    made = {each.__name__: each for each in (stages, pipeline)}
    fills = [each for each in (permission, region, name, right) if each.__name__ in sys.argv[2:]]

    def fill(stage: Stage) -> None:
        """Put all that was asked for into a stage."""
        for each in fills:
            each(stage)

    app = App()
    Aspects.of(app).add(WorkMailPermissionChecks())
    made[sys.argv[1]](app, fill)
    app.synth()
