"""A rule for each direction with the steps that edit text."""

from __future__ import annotations

import os

from aws_cdk import App, Duration, Stack

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.footer import Footer
from workmail_constructs.steps.step import OnFailure, Senders
from workmail_constructs.steps.subject_prefix import SubjectPrefix
from workmail_constructs.steps.translate import Translate

app = App()
stack = Stack(app, "Editing")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
RunLambdaRule(
    stack,
    "Inbound",
    organization=organization,
    direction=FlowDirection.INBOUND,
    run=Run.synchronous(fallback=FallbackAction.DEFAULT),
    steps=[
        Translate("en"),
        SubjectPrefix("[EXT]", senders=Senders.EXTERNAL),
        Banner("From outside, sent by {sender}. <Care>", senders=Senders.EXTERNAL),
        Banner("Hello, colleague.", senders=Senders.INTERNAL, name="Internal"),
    ],
    environment={"AWS_ENDPOINT_URL_TRANSLATE": os.environ["TRANSLATE_STAND_IN"]},
)
RunLambdaRule(
    stack,
    "Outbound",
    organization=organization,
    direction=FlowDirection.OUTBOUND,
    run=Run.synchronous(fallback=FallbackAction.BOUNCE, rule_timeout=Duration.minutes(0)),
    steps=[Footer(html="<p>Example Ltd, <b>1 Example Street</b></p>", on_failure=OnFailure.FAIL)],
)
app.synth()
