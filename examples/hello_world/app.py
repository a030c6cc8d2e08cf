"""A synchronous inbound rule whose function reads each message and decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, Stack

from workmail_constructs import (
    ContentAccess,
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailOrganization,
)

if TYPE_CHECKING:
    from constructs import Construct

HERE = Path(__file__).parent


class HelloWorldStack(Stack):
    """One rule in one organization; replace the id and the domains with your organization's."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        RunLambdaRule(
            self,
            "HelloWorld",
            organization=organization,
            direction=FlowDirection.INBOUND,
            code=RuleCode.from_folder(HERE / "handler"),
            run=Run.synchronous(fallback=FallbackAction.DEFAULT),
            content_access=ContentAccess.READ,
        )


app = App()
HelloWorldStack(app, "HelloWorld")
app.synth()
