"""An organization by its alias, for a rule of its own stack, of a nested one and of another."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, NestedStack, Stack

from workmail_constructs import (
    ContentAccess,
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailOrganization,
)

HANDLER = Path(__file__).parents[4] / "examples" / "hello_world" / "handler"

app = App()
mail = Stack(app, "Mail")
organization = WorkMailOrganization.from_alias(mail, "Organization", "acme", domains=["example.com"])
for scope, name, sender in (
    (mail, "Own", "*"),
    (NestedStack(mail, "Inner"), "Nested", "nested.example"),
    (Stack(app, "Other"), "Other", "other.example"),
):
    RunLambdaRule(
        scope,
        name,
        organization=organization,
        direction=FlowDirection.INBOUND,
        code=RuleCode.from_folder(HANDLER),
        run=Run.synchronous(fallback=FallbackAction.DEFAULT),
        content_access=ContentAccess.READ,
        senders=[sender],
    )
app.synth()
