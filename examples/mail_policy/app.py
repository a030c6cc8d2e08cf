"""What a company wants done to its mail: six steps on the way in and four on the way out, each way in one function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import App, Duration, Stack
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, LifecycleRule

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.allow_or_block import AllowOrBlock
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.block_attachments import PROGRAMS, BlockAttachments
from workmail_constructs.steps.decision import Bounce, Junk
from workmail_constructs.steps.find_sensitive import FindSensitive
from workmail_constructs.steps.footer import Footer
from workmail_constructs.steps.limit_rate import LimitRate
from workmail_constructs.steps.save_message import SaveMessage
from workmail_constructs.steps.subject_prefix import SubjectPrefix

if TYPE_CHECKING:
    from constructs import Construct


class MailPolicyStack(Stack):
    """One rule per direction; replace the organization's id, the domains, the addresses and the texts with your own."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        organization = WorkMailOrganization.from_organization_id(
            self, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
        )
        archive = Bucket(
            self,
            "Archive",
            enforce_ssl=True,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[LifecycleRule(expiration=Duration.days(400))],
        )
        # A fallback that delivers would let through what the steps could not see to.
        run = Run.synchronous(fallback=FallbackAction.BOUNCE, rule_timeout=Duration.minutes(60))
        # [rules
        RunLambdaRule(
            self,
            "Inbound",
            organization=organization,
            direction=FlowDirection.INBOUND,
            run=run,
            steps=[
                SaveMessage(archive, prefix="inbound/"),  # before anything is bounced
                AllowOrBlock(block=["*.spam.example"], blocked=Junk()),
                BlockAttachments(extensions=PROGRAMS, then=Bounce("We take no programs by mail.")),
                LimitRate(addresses=["all@example.com"], per_minute=3, then=Bounce("Too many messages. Try later.")),
                SubjectPrefix("[EXT]", senders="EXTERNAL"),
                Banner("This message comes from outside.", senders="EXTERNAL"),
            ],
        )
        RunLambdaRule(
            self,
            "Outbound",
            organization=organization,
            direction=FlowDirection.OUTBOUND,
            run=run,
            steps=[
                SaveMessage(archive, prefix="outbound/"),
                FindSensitive(ibans=False, then=Bounce("Card numbers do not go by mail."), recipients="EXTERNAL"),
                BlockAttachments(extensions=PROGRAMS, then=Bounce("We send no programs by mail.")),
                Footer("Example Ltd, 1 Example Street", recipients="EXTERNAL"),
            ],
        )
        # rules]


app = App()
MailPolicyStack(app, "MailPolicy")
app.synth()
