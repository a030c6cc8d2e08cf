"""Two rules that are watched: alarms, a dashboard and WorkMail's event log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, CfnOutput, Stack
from aws_cdk.aws_sns import Topic

from workmail_constructs import (
    ContentAccess,
    EmailEventLogging,
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailDashboard,
    WorkMailOrganization,
)
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.step import Senders

if TYPE_CHECKING:
    from constructs import Construct

HERE = Path(__file__).parent


class WatchedMailStack(Stack):
    """A rule in each direction, and what watches them; replace the id and the domains with your organization's."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        marked = RunLambdaRule(
            self,
            "Marked",
            organization=organization,
            direction=FlowDirection.INBOUND,
            run=Run.synchronous(fallback=FallbackAction.DEFAULT),
            steps=[Banner("This message comes from outside.", senders=Senders.EXTERNAL)],
        )
        journaled = RunLambdaRule(
            self,
            "Journaled",
            organization=organization,
            direction=FlowDirection.OUTBOUND,
            run=Run.asynchronous(),
            code=RuleCode.from_folder(HERE / "journal"),
            content_access=ContentAccess.READ,
        )

        on_call = Topic(self, "OnCall")  # subscribe whoever is called at night
        alarms = [*marked.add_alarms(on_call).all, *journaled.add_alarms(on_call).all]
        event_log = EmailEventLogging(self, "EventLog", organization=organization)
        event_log.add_alarms(on_call)
        WorkMailDashboard(self, "Dashboard", organization=organization, alarms=alarms)
        CfnOutput(self, "EventLogGroup", value=event_log.log_group.log_group_name)


app = App()
WatchedMailStack(app, "WatchedMail")
app.synth()
