"""Asynchronous rules: one runs a function, one an alias; and a synchronous one, which has no failed events."""

from __future__ import annotations

from aws_cdk import App, Stack

from workmail_constructs import FallbackAction, FlowDirection, RuleCode, Run, RunLambdaRule, WorkMailOrganization

app = App()
stack = Stack(app, "Redrive")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
code = RuleCode.from_folder("handler")
RunLambdaRule(
    stack,
    "Inbound",
    organization=organization,
    direction=FlowDirection.INBOUND,
    run=Run.asynchronous(),
    code=code,
    destinations=["bob@example.com"],
)
RunLambdaRule(
    stack,
    "Outbound",
    organization=organization,
    direction=FlowDirection.OUTBOUND,
    run=Run.asynchronous(),
    code=code,
    alias="live",
    destinations=["*"],
)
RunLambdaRule(
    stack,
    "Waiting",
    organization=organization,
    direction=FlowDirection.INBOUND,
    run=Run.synchronous(fallback=FallbackAction.DEFAULT),
    code=code,
)
app.synth()
