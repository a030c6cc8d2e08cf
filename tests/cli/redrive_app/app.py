"""Asynchronous rules: one runs a function, one an alias; and a synchronous one, which has no failed events."""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk.aws_iam import CfnRole
from aws_cdk.aws_lambda import CfnFunction

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

# Its access key stands for a person who has the policy of docs/watching-in-cdk.md and no other right.
page = (Path(__file__).resolve().parents[3] / "docs" / "watching-in-cdk.md").read_text(encoding="utf-8")
policy = page.partition("## Send failed events again")[2].partition("```json\n")[2].partition("```")[0]
for name, value in {"REGION": "us-east-1", "ACCOUNT": "123456789012", "STACK": "Redrive"}.items():
    policy = policy.replace(name, value)
operator = Stack(app, "Operator")
role = CfnRole(
    operator,
    "Role",
    assume_role_policy_document={"Version": "2012-10-17", "Statement": []},
    policies=[CfnRole.PolicyProperty(policy_name="Redrive", policy_document=json.loads(policy))],
)
CfnFunction(
    operator,
    "Function",
    role=role.attr_arn,
    runtime="python3.13",
    handler="index.handler",
    code=CfnFunction.CodeProperty(zip_file="def handler(event, context): pass\n"),
)
app.synth()
