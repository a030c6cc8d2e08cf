"""The bucket from which WorkMail reads updated messages: how a rule asks for it, and who may do what with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule

from workmail_constructs import defaults
from workmail_constructs.guards import guard_place
from workmail_constructs.problems import add_problem, require_statement
from workmail_constructs.stack_record import is_known
from workmail_flow.arns import READ_UPDATED, workmail_principal
from workmail_flow.limits import BUCKET_NAME_PATTERN

if TYPE_CHECKING:
    from aws_cdk.aws_iam import IPrincipal
    from aws_cdk.aws_kms import IKey
    from constructs import Construct

    from workmail_constructs.interfaces import AnyBucket, AnyKey
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.stack_record import StackRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBucketOptions:
    """How a rule asks for its function's bucket."""

    bucket: AnyBucket | None = None
    key: AnyKey | None = None
    removal_policy: RemovalPolicy | None = None
    auto_delete_objects: bool = False

    def given(self) -> list[str]:
        """Return the rule's arguments that say something."""
        return [
            name
            for name, value in (
                ("message_bucket", self.bucket),
                ("message_key", self.key),
                ("message_bucket_removal_policy", self.removal_policy),
                ("message_bucket_auto_delete_objects", self.auto_delete_objects or None),
            )
            if value is not None
        ]

    def is_like(self, other: MessageBucketOptions) -> bool:
        """Whether both ask for the same bucket; what is imported twice is known by its name."""
        return self._compared() == other._compared()

    def _compared(self) -> tuple[object, ...]:
        bucket, key = self.bucket, self.key
        return (
            bucket and bucket.bucket_name,
            key and key.key_arn,
            self.removal_policy,
            self.auto_delete_objects,
        )


def put_statements(bucket: AnyBucket) -> list[PolicyStatement]:
    """Return a function's rights on the bucket: to put, with what S3 needs of it to encrypt, and nothing more."""
    statements = [PolicyStatement(actions=["s3:PutObject"], resources=[bucket.arn_for_objects("*")])]
    key = bucket.encryption_key
    if key is not None:
        statements.append(PolicyStatement(actions=["kms:GenerateDataKey"], resources=[key.key_arn]))
    return statements


def new_bucket(scope: Construct, options: MessageBucketOptions) -> Bucket:
    """Make a bucket for updated messages: TLS only, encrypted, closed to the public, versioned, empty after a day.

    It stays when its stack is deleted, which is CDK's default: mail in transit may still need it.
    """
    expiry = Duration.days(defaults.UPDATED_MESSAGE_DAYS)
    return Bucket(
        scope,
        "MessageBucket",
        encryption=BucketEncryption.KMS if options.key else BucketEncryption.S3_MANAGED,
        encryption_key=cast("IKey | None", options.key),
        bucket_key_enabled=True if options.key else None,
        block_public_access=BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        # WorkMail reads the version that the function names (C1), even if another one has been put since.
        versioned=True,
        lifecycle_rules=[
            LifecycleRule(
                expiration=expiry, noncurrent_version_expiration=expiry, abort_incomplete_multipart_upload_after=expiry
            ),
            # S3 takes this only in a rule without an expiry.
            LifecycleRule(expired_object_delete_marker=True),
        ],
        removal_policy=options.removal_policy,
        auto_delete_objects=options.auto_delete_objects or None,
    )


def check_bucket(rule: Construct, bucket: AnyBucket, *, record: StackRecord) -> None:
    """Report an existing bucket that WorkMail does not read from, by its place (C5) or its name (C6)."""
    guard_place(
        rule,
        record,
        what=f"the bucket {bucket.node.path} for updated messages",
        region=bucket.env.region,
        account=bucket.env.account,
        fact="WorkMail reads updated messages in its own Region and account only (C5)",
        remedy="give a bucket of the rule's own Region and account, or leave message_bucket out to get one",
    )
    name = bucket.bucket_name
    if is_known(name) and not re.fullmatch(BUCKET_NAME_PATTERN, name):
        add_problem(
            rule,
            "WorkMailBucketName",
            found=f"the bucket {name} for updated messages",
            allowed=f"a name that matches {BUCKET_NAME_PATTERN}, without a dot (C6)",
            remedy="give another bucket, or leave message_bucket out to get one",
        )


def let_workmail_read(bucket: AnyBucket, *, organization: WorkMailOrganization, record: StackRecord) -> None:
    """Let WorkMail read a bucket's objects for one organization, under the documented conditions (C5).

    The bucket's own key, if it has one, lets WorkMail decrypt them. This is done once per bucket and organization. If
    CDK cannot change a policy, because the bucket or the key is imported, a warning has the statement to add.
    """
    readable = (bucket, organization.organization_arn)
    if readable in record.app.readable_buckets:
        return
    record.app.readable_buckets.add(readable)
    # It is a principal, except for a parameter's name.
    workmail = cast("IPrincipal", ServicePrincipal(workmail_principal(record.region)))
    this_account = {"aws:SourceAccount": record.account}
    this_organization = {"aws:SourceArn": organization.any_message_arn}
    reading = PolicyStatement(
        principals=[workmail],
        actions=[*READ_UPDATED],
        resources=[bucket.arn_for_objects("*")],
        conditions={
            "StringEquals": this_account,
            "Bool": {"aws:SecureTransport": "true"},
            "ArnLike": this_organization,
        },
    )
    require_statement(
        bucket,
        reading,
        scope=bucket,
        id="WorkMailBucketPolicy",
        found="an imported bucket for updated messages, whose policy CDK cannot change",
        allowed="a bucket that WorkMail may read (C5); otherwise it answers InvalidContentLocation",
        remedy="leave message_bucket out to get a bucket, or add this to its policy where the bucket is defined",
    )
    key = bucket.encryption_key
    if key is None:
        return
    decrypting = PolicyStatement(
        principals=[workmail],
        actions=["kms:Decrypt"],
        resources=["*"],
        conditions={"StringEquals": this_account, "ArnLike": this_organization},
    )
    require_statement(
        key,
        decrypting,
        scope=bucket,
        id="WorkMailKeyPolicy",
        found="a bucket for updated messages with an imported KMS key, whose policy CDK cannot change",
        allowed="a key with which WorkMail may decrypt the messages",
        remedy="add this to its policy where the key is defined",
    )
