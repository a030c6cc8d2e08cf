"""One rule of our steps and the user's own: something is done once, then a later step fails at first."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, Duration, Stack
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.own_step import OwnStep

app = App()
stack = Stack(app, "Steps")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
counts = Table(stack, "Counts", partition_key=Attribute(name="id", type=AttributeType.STRING))
folder = Path(__file__).parent / "charge"
# [rule
rule = RunLambdaRule(
    stack,
    "Inbound",
    organization=organization,
    direction=FlowDirection.INBOUND,
    run=Run.synchronous(fallback=FallbackAction.BOUNCE, rule_timeout=Duration.minutes(60)),
    steps=[
        Banner("From outside.", senders="EXTERNAL"),
        OwnStep(
            folder,
            function="step.charge",
            name="Charge",
            configuration={"table": counts.table_name},
            once=True,
            decides=False,
            on_failure="FAIL",
        ),
        OwnStep(
            folder,
            function="step.fail_at_first",
            name="Late",
            configuration={"table": counts.table_name},
            decides=False,
            on_failure="FAIL",
        ),
        Banner("Seen by the rule.", name="Seen", recipients="INTERNAL"),
    ],
)
counts.grant(rule, "dynamodb:UpdateItem")
# rule]
app.synth()
