"""Mail to support@example.com becomes a case in Salesforce, and is delivered as usual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, Stack
from aws_cdk.aws_secretsmanager import Secret

from workmail_constructs import FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.own_step import OwnStep

if TYPE_CHECKING:
    from constructs import Construct

HERE = Path(__file__).parent


class SalesforceStack(Stack):
    """One rule in one organization; replace the id, the domains and the address with your own."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        client = Secret(self, "Client", description="Salesforce, as JSON: url, client_id, client_secret")
        rule = RunLambdaRule(
            self,
            "Salesforce",
            organization=organization,
            direction=FlowDirection.INBOUND,
            # No mail waits for Salesforce. What it did not take after two retries is in the rule's on_failure_queue.
            run=Run.asynchronous(),
            destinations=["support@example.com"],
            steps=[
                OwnStep(
                    HERE / "file_case",
                    name="FileCase",
                    # Without the sender's address, nobody could answer the case.
                    configuration={"secret": client.secret_arn, "sender": True},
                    content_access="READ",
                    decides=False,
                    once=True,
                    on_failure="FAIL",
                )
            ],
        )
        client.grant_read(rule)


app = App()
SalesforceStack(app, "Salesforce")
app.synth()
