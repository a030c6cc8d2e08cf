"""What a rule's function may do with message content, and the bucket from which WorkMail reads updated messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Duration
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule

from workmail_constructs import defaults
from workmail_constructs.problems import add_problem, add_warning
from workmail_constructs.stack_record import is_known
from workmail_flow.arns import GET_CONTENT, PUT_CONTENT, READ_UPDATED, workmail_principal
from workmail_flow.limits import BUCKET_NAME_PATTERN

if TYPE_CHECKING:
    from aws_cdk.aws_iam import IPrincipal
    from aws_cdk.aws_kms import IKey
    from constructs import Construct, IConstruct

    from workmail_constructs.interfaces import AnyBucket, AnyKey
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.stack_record import StackRecord
    from workmail_flow.vocabulary import FlowDirection


class ContentAccess(StrEnum):
    """What the function may do with the content of the messages its rule sees."""

    NONE = "NONE"
    """Nothing: it decides by the event alone."""
    READ = "READ"
    """Fetch it, within the 24 hours a message is in transit (C2)."""
    UPDATE = "UPDATE"
    """Fetch it and replace it; only a synchronous rule can (C4)."""


@dataclass(frozen=True, slots=True)
class ContentGrant:
    """What a function gets for its access to message content."""

    statements: tuple[PolicyStatement, ...] = ()
    """The rights of its role."""
    message_bucket: AnyBucket | None = None
    """Where it puts updated messages; None without `ContentAccess.UPDATE`."""


_ACTIONS: Final = {ContentAccess.READ: (GET_CONTENT,), ContentAccess.UPDATE: (GET_CONTENT, PUT_CONTENT)}


def content_grant(
    scope: Construct,
    access: ContentAccess,
    *,
    record: StackRecord,
    organization: WorkMailOrganization,
    direction: FlowDirection,
    message_bucket: AnyBucket | None,
    message_key: AnyKey | None,
) -> ContentGrant:
    """Return what a function needs for its access to one organization's messages of one direction, and no others (C3).

    For updates WorkMail may read `message_bucket`, or a bucket made in `scope` and encrypted with `message_key`.
    """
    if access is ContentAccess.NONE:
        return ContentGrant()
    messages = organization.message_arn(direction)
    statement = record.statements.get((messages, access))
    if statement is None:
        statement = PolicyStatement(actions=[*_ACTIONS[access]], resources=[messages])
        record.statements[messages, access] = statement
    if access is ContentAccess.READ:
        return ContentGrant((statement,))
    if message_bucket is None:
        message_bucket = _new_message_bucket(scope, key=message_key)
    else:
        _check_bucket_name(scope, message_bucket)
    _let_workmail_read(message_bucket, organization=organization, record=record)
    return ContentGrant((statement, *_put_statements(message_bucket)), message_bucket)


def _new_message_bucket(scope: Construct, *, key: AnyKey | None) -> Bucket:
    """Make a bucket for updated messages: TLS only, encrypted, closed to the public, versioned, empty after a day.

    It stays when its stack is deleted, which is CDK's default: mail in transit may still need it.
    """
    expiry = Duration.days(defaults.UPDATED_MESSAGE_DAYS)
    return Bucket(
        scope,
        "MessageBucket",
        encryption=BucketEncryption.KMS if key else BucketEncryption.S3_MANAGED,
        encryption_key=cast("IKey | None", key),
        bucket_key_enabled=True if key else None,
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
    )


def _check_bucket_name(scope: IConstruct, bucket: AnyBucket) -> None:
    """Report an existing bucket whose name WorkMail does not take (C6)."""
    name = bucket.bucket_name
    if is_known(name) and not re.fullmatch(BUCKET_NAME_PATTERN, name):
        add_problem(
            scope,
            "WorkMailBucketName",
            found=f"the bucket {name} for updated messages",
            allowed=f"a name that matches {BUCKET_NAME_PATTERN}, without a dot (C6)",
            remedy="give another bucket, or leave message_bucket out to get one",
        )


def _put_statements(bucket: AnyBucket) -> list[PolicyStatement]:
    """Return a function's rights on the bucket: to put, with what S3 needs of it to encrypt, and nothing more."""
    statements = [PolicyStatement(actions=["s3:PutObject"], resources=[bucket.arn_for_objects("*")])]
    key = bucket.encryption_key
    if key is not None:
        statements.append(PolicyStatement(actions=["kms:GenerateDataKey"], resources=[key.key_arn]))
    return statements


def _let_workmail_read(bucket: AnyBucket, *, organization: WorkMailOrganization, record: StackRecord) -> None:
    """Let WorkMail read a bucket's objects for one organization, under the documented conditions (C5).

    The bucket's own key, if it has one, lets WorkMail decrypt them. This is done once per bucket and organization. If
    CDK cannot change a policy, because the bucket or the key is imported, a warning says what is missing.
    """
    readable = (bucket, organization.organization_arn)
    if readable in record.app.readable_buckets:
        return
    record.app.readable_buckets.add(readable)
    principal = workmail_principal(record.region)
    shown = principal if is_known(principal) else workmail_principal("${AWS::Region}")
    workmail = cast("IPrincipal", ServicePrincipal(principal))  # it is one, except for a parameter's name
    this_account = {"aws:SourceAccount": record.account}
    this_organization = {"aws:SourceArn": organization.any_message_arn}
    added = bucket.add_to_resource_policy(
        PolicyStatement(
            principals=[workmail],
            actions=[*READ_UPDATED],
            resources=[bucket.arn_for_objects("*")],
            conditions={
                "StringEquals": this_account,
                "Bool": {"aws:SecureTransport": "true"},
                "ArnLike": this_organization,
            },
        )
    )
    if not added.statement_added:
        add_warning(
            bucket,
            "WorkMailBucketPolicy",
            found="an imported bucket for updated messages, whose policy CDK cannot change",
            allowed=f"a bucket whose policy lets {shown} do {' and '.join(READ_UPDATED)} on its "
            "objects, with aws:SourceAccount, aws:SecureTransport and aws:SourceArn (C5); without it WorkMail answers "
            "InvalidContentLocation",
            remedy="add that statement where the bucket is defined, or leave message_bucket out to get a bucket",
        )
    key = bucket.encryption_key
    if key is None:
        return
    added = key.add_to_resource_policy(
        PolicyStatement(
            principals=[workmail],
            actions=["kms:Decrypt"],
            resources=["*"],
            conditions={"StringEquals": this_account, "ArnLike": this_organization},
        )
    )
    if not added.statement_added:
        add_warning(
            bucket,
            "WorkMailKeyPolicy",
            found="a bucket for updated messages with an imported KMS key, whose policy CDK cannot change",
            allowed=f"a key whose policy lets {shown} do kms:Decrypt through S3 for this account",
            remedy="add that statement where the key is defined",
        )
