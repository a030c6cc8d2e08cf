"""The event log of an organization, in a stack of its own and as the context says."""

from __future__ import annotations

from aws_cdk import App, RemovalPolicy, Stack

from workmail_constructs import EmailEventLogging, EmailFlowRules, WorkMailOrganization

app = App()
asked = app.node.get_context
mail = Stack(app, asked("stack"))
organization = WorkMailOrganization.from_alias(mail, "Organization", asked("alias"), domains=["example.com"])
events = EmailEventLogging(
    mail,
    "Events",
    organization=organization,
    log_removal_policy=RemovalPolicy.DESTROY,
    overwrite=asked("overwrite") == "yes",
)
events.add_alarms()
EmailFlowRules.of(mail).drop(
    "Spam", organization=organization, direction="INBOUND", senders=["spam.example"], destinations=["*"]
)
app.synth()
