"""The stack that docs/testing.md tests, as a user's app has one."""

from pathlib import Path

from aws_cdk import Stack
from constructs import Construct

from workmail_constructs import (
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailOrganization,
)

HANDLER = Path(__file__).parents[2] / "local" / "handlers" / "large_lists"


class MailStack(Stack):
    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        self.large_lists = RunLambdaRule(
            self,
            "LargeLists",
            organization=organization,
            direction=FlowDirection.INBOUND,
            code=RuleCode.from_folder(HANDLER),
            run=Run.synchronous(fallback=FallbackAction.DEFAULT),
        )
