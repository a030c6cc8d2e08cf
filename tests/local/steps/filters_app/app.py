"""The steps that save, list, block and filter, in one rule for each direction."""

from __future__ import annotations

from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk.aws_kms import Key
from aws_cdk.aws_s3 import Bucket, BucketEncryption, ObjectLockRetention

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.allow_or_block import AllowOrBlock
from workmail_constructs.steps.block_attachments import PROGRAMS, BlockAttachments, ReplaceByNote
from workmail_constructs.steps.decision import Bounce, BypassSpamCheck, Drop, Junk
from workmail_constructs.steps.filter_by_header import FilterByHeader
from workmail_constructs.steps.save_message import SaveMessage

app = App()
stack = Stack(app, "Filters")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)
archive = Bucket(
    stack,
    "Archive",
    encryption=BucketEncryption.KMS,
    encryption_key=Key(stack, "Key", removal_policy=RemovalPolicy.DESTROY),
    object_lock_default_retention=ObjectLockRetention.governance(Duration.days(1)),
)
run = Run.synchronous(fallback=FallbackAction.BOUNCE, rule_timeout=Duration.minutes(2))
RunLambdaRule(
    stack,
    "Inbound",
    organization=organization,
    direction=FlowDirection.INBOUND,
    run=run,
    steps=[
        SaveMessage(archive, prefix="in/", header="X-Saved-As"),
        AllowOrBlock(blocked=Drop(), allowed=BypassSpamCheck(), name="Senders"),
        AllowOrBlock(whose="RECIPIENTS", block=["closed@example.com"], blocked=Bounce("Closed."), name="Closed"),
        BlockAttachments(extensions=PROGRAMS, then=ReplaceByNote("A program was removed.")),
        FilterByHeader("X-Spam", "^YES", otherwise=None),
        FilterByHeader(
            "Authentication-Results",
            r"\bspf=fail\b",
            authserv_id="mx.example.com",
            matched=Junk(),
            otherwise=None,
            name="Authentication",
        ),
    ],
)
RunLambdaRule(
    stack,
    "Outbound",
    organization=organization,
    direction=FlowDirection.OUTBOUND,
    run=run,
    steps=[
        SaveMessage(archive, prefix="out/"),
        BlockAttachments(extensions=PROGRAMS, then=Bounce("We send no programs.")),
    ],
)
app.synth()
