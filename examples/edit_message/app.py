"""A synchronous inbound rule whose function marks mail from outside."""

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


class EditMessageStack(Stack):
    """One rule in one organization; replace the id, the domains and the texts with your own."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        RunLambdaRule(
            self,
            "EditMessage",
            organization=organization,
            direction=FlowDirection.INBOUND,
            code=RuleCode.from_folder(HERE / "handler"),
            run=Run.synchronous(fallback=FallbackAction.DEFAULT),
            content_access=ContentAccess.UPDATE,
            environment={
                "SUBJECT_PREFIX": "[EXT]",
                "BANNER": "This message comes from outside. Think before you follow a link.",
                "FOOTER": "Example Ltd, 1 Example Street",
            },
        )


app = App()
EditMessageStack(app, "EditMessage")
app.synth()
