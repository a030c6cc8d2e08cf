"""Mail to blog@example.com becomes a draft in WordPress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, Duration, Stack
from aws_cdk.aws_secretsmanager import Secret

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.own_step import OwnStep

if TYPE_CHECKING:
    from constructs import Construct

HERE = Path(__file__).parent


class WordPressStack(Stack):
    """One rule in one organization; replace the id, the domains and the address with your own."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        site = Secret(self, "Site", description="WordPress, as JSON: site, user, password")
        rule = RunLambdaRule(
            self,
            "WordPress",
            organization=organization,
            direction=FlowDirection.INBOUND,
            # What could not be posted in an hour is delivered to the mailbox, so nothing is lost.
            run=Run.synchronous(fallback=FallbackAction.DEFAULT, rule_timeout=Duration.minutes(60)),
            steps=[
                OwnStep(
                    HERE / "post_draft",
                    name="PostDraft",
                    configuration={"secret": site.secret_arn},
                    content_access="READ",
                    once=True,
                    senders="INTERNAL",
                    recipients=["blog@example.com"],
                    on_failure="FAIL",
                )
            ],
        )
        site.grant_read(rule)


app = App()
WordPressStack(app, "WordPress")
app.synth()
