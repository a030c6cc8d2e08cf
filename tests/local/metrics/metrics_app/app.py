"""Two organizations: in one a user's handler and steps write metrics, in the other metrics are off."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, Stack

from workmail_constructs import ContentAccess, FallbackAction, RuleCode, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.subject_prefix import SubjectPrefix

app = App()
stack = Stack(app, "Metrics")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
silent = WorkMailOrganization.from_organization_id(
    stack, "Silent", "m-fedcba9876543210fedcba9876543210", domains=["example.org"]
)
code = RuleCode.from_folder(Path(__file__).parent / "handler")
run = Run.synchronous(fallback=FallbackAction.DEFAULT)
RunLambdaRule(
    stack,
    "Handler",
    organization=organization,
    direction="INBOUND",
    code=code,
    run=run,
    content_access=ContentAccess.UPDATE,
    function_name="handler",
)
RunLambdaRule(
    stack,
    "Steps",
    organization=organization,
    direction="OUTBOUND",
    steps=[Banner("From us.", recipients=["example.net"]), SubjectPrefix("[US]", name="Prefix")],
    run=run,
    function_name="steps",
)
RunLambdaRule(
    stack,
    "Off",
    organization=silent,
    direction="INBOUND",
    code=code,
    run=run,
    content_access=ContentAccess.UPDATE,
    function_name="off",
    metrics=False,
)
app.synth()
