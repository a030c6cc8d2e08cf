"""Limits on who may write to whom, how often, and what."""

from __future__ import annotations

from aws_cdk import App, Duration, Stack
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_sns import Topic

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.decision import Bounce
from workmail_constructs.steps.find_sensitive import FindSensitive
from workmail_constructs.steps.limit_rate import LimitRate
from workmail_constructs.steps.restrict_mailboxes import RestrictMailboxes

app = App()
stack = Stack(app, "Limits")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
run = Run.synchronous(fallback=FallbackAction.BOUNCE, rule_timeout=Duration.minutes(30))
topic = Topic(stack, "Storms", enforce_ssl=True)

# [limit_rate
limit = LimitRate(
    addresses=["all@example.com"],
    per_minute=3,
    then=Bounce("Too many messages for this list. Try again in a minute."),
    alarm_actions=[SnsAction(topic)],
)
# limit_rate]
# [restrict_mailboxes
restrict = RestrictMailboxes("interns@example.com", report_to=["it@example.com"])
# restrict_mailboxes]
# [find_sensitive
refuse = FindSensitive(
    ibans=False,
    then=Bounce("Card numbers do not go by mail."),
    name="RefuseCards",
)
review = FindSensitive(
    cards=False,
    patterns={"project": r"(?i)\bproject x\b"},
    tag="[SENSITIVE]",
    reviewers=["security@example.com"],
    name="ReviewOthers",
)
# find_sensitive]

RunLambdaRule(
    stack,
    "Inbound",
    organization=organization,
    direction=FlowDirection.INBOUND,
    run=run,
    steps=[
        limit,
        restrict,
        FindSensitive(patterns={"marker": "EYES ONLY"}, then=Bounce("No."), direction="INBOUND"),
    ],
)
RunLambdaRule(
    stack,
    "Outbound",
    organization=organization,
    direction=FlowDirection.OUTBOUND,
    run=run,
    steps=[restrict, refuse, review],
)
app.synth()
