"""What a rule's function may do with message content, and the bucket WorkMail reads updated messages from."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakKeyDictionary

from aws_cdk import Duration
from aws_cdk.aws_iam import Effect, PolicyStatement, ServicePrincipal
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule

from workmail_constructs import defaults
from workmail_constructs.problems import add_problem, add_warning
from workmail_constructs.regions import is_known
from workmail_flow.limits import BUCKET_NAME_PATTERN

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk.aws_iam import IPrincipal
    from aws_cdk.aws_kms import IKey, Key
    from aws_cdk.aws_s3 import BucketBase, IBucket
    from constructs import Construct, IConstruct

    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.regions import Environment
    from workmail_flow.vocabulary import FlowDirection

    # To pyright the classes are not quite the interfaces they implement.
    AnyBucket = IBucket | BucketBase
    AnyKey = IKey | Key

BUCKET_VARIABLE: Final = "WORKMAIL_MESSAGE_BUCKET"
"""The environment variable in which the handler finds the bucket for updated messages."""


class ContentAccess(StrEnum):
    """What the function may do with the content of the messages its rule sees."""

    NONE = "NONE"
    """Nothing: it decides by the event alone."""
    READ = "READ"
    """Fetch it, within the 24 hours a message is in transit (C2)."""
    UPDATE = "UPDATE"
    """Fetch it and replace it; only a synchronous rule can (C4)."""


_ACTIONS: Final = {
    ContentAccess.NONE: (),
    ContentAccess.READ: ("workmailmessageflow:GetRawMessageContent",),
    ContentAccess.UPDATE: ("workmailmessageflow:GetRawMessageContent", "workmailmessageflow:PutRawMessageContent"),
}

# A statement is immutable once a role has it; rules of one stack share it to save calls into Node.js.
_STATEMENTS: Final[WeakKeyDictionary[Stack, dict[tuple[str, ContentAccess], PolicyStatement]]] = WeakKeyDictionary()
_READABLE: Final[WeakKeyDictionary[AnyBucket, set[str]]] = WeakKeyDictionary()


def content_statements(
    access: ContentAccess, *, organization: WorkMailOrganization, direction: FlowDirection, stack: Stack
) -> list[PolicyStatement]:
    """Return the rights of a function in `stack` on messages of one organization and direction, and no others (C3)."""
    if access is ContentAccess.NONE:
        return []
    statements = _STATEMENTS.setdefault(stack, {})
    resource = organization.message_arn(direction)
    statement = statements.get((resource, access))
    if statement is None:
        statement = PolicyStatement(actions=[*_ACTIONS[access]], resources=[resource])
        statements[resource, access] = statement
    return [statement]


def put_statement(bucket: AnyBucket) -> PolicyStatement:
    """Return a function's right on the bucket for updated messages: to put, and nothing more."""
    return PolicyStatement(actions=["s3:PutObject"], resources=[bucket.arn_for_objects("*")])


def key_statement(key: AnyKey) -> PolicyStatement:
    """Return a function's right on the key of that bucket: what S3 needs of the caller to encrypt an object."""
    return PolicyStatement(actions=["kms:GenerateDataKey"], resources=[key.key_arn])


def new_message_bucket(scope: Construct, *, key: AnyKey | None) -> Bucket:
    """Make a bucket for updated messages: TLS only, encrypted, closed to the public, versioned, empty after a day.

    It is kept when its stack is deleted, as CDK keeps buckets, since mail in transit may still need it.
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
        # WorkMail reads the very version that the function names (C1), whatever is put meanwhile.
        versioned=True,
        lifecycle_rules=[
            LifecycleRule(
                expiration=expiry, noncurrent_version_expiration=expiry, abort_incomplete_multipart_upload_after=expiry
            ),
            # S3 takes this only in a rule without an expiry.
            LifecycleRule(expired_object_delete_marker=True),
        ],
    )


def let_workmail_read(bucket: AnyBucket, *, organization: WorkMailOrganization, environment: Environment) -> None:
    """Let WorkMail read a bucket's objects on behalf of one organization, under the documented conditions (C5).

    The bucket's own key, if it has one, lets WorkMail decrypt them. Done once for each bucket and organization. Where
    CDK cannot change a policy, because bucket or key are imported, a warning says what is missing.
    """
    readable = _READABLE.setdefault(bucket, set())
    if organization.organization_arn in readable:
        return
    readable.add(organization.organization_arn)
    service = f"workmail.{environment.region}.amazonaws.com"
    workmail = cast("IPrincipal", ServicePrincipal(service))  # it is one, but for a parameter's name
    resources = bucket.arn_for_objects("*")
    added = bucket.add_to_resource_policy(
        PolicyStatement(
            effect=Effect.ALLOW,
            principals=[workmail],
            actions=["s3:GetObject", "s3:GetObjectVersion"],
            resources=[resources],
            conditions={
                "StringEquals": {"aws:SourceAccount": environment.account},
                "Bool": {"aws:SecureTransport": "true"},
                "ArnLike": {"aws:SourceArn": organization.any_message_arn},
            },
        )
    )
    if not added.statement_added:
        add_warning(
            bucket,
            "WorkMailBucketPolicy",
            found="an imported bucket for updated messages, whose policy CDK cannot change",
            allowed=f"a bucket whose policy lets {_shown(service)} do s3:GetObject and s3:GetObjectVersion on its "
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
            conditions={
                "StringEquals": {"aws:SourceAccount": environment.account},
                "ArnLike": {"aws:SourceArn": organization.any_message_arn},
            },
        )
    )
    if not added.statement_added:
        add_warning(
            bucket,
            "WorkMailKeyPolicy",
            found="a bucket for updated messages with an imported KMS key, whose policy CDK cannot change",
            allowed=f"a key whose policy lets {_shown(service)} do kms:Decrypt through S3 for this account",
            remedy="add that statement where the key is defined",
        )


def check_message_bucket(scope: IConstruct, bucket: AnyBucket) -> None:
    """Report a bucket, made elsewhere, whose name WorkMail does not take (C6)."""
    name = bucket.bucket_name
    if is_known(name) and not re.fullmatch(BUCKET_NAME_PATTERN, name):
        add_problem(
            scope,
            "WorkMailBucketName",
            found=f"the bucket {name} for updated messages",
            allowed=f"a name that matches {BUCKET_NAME_PATTERN}, without a dot (C6)",
            remedy="give another bucket, or leave message_bucket out to get one",
        )


def _shown(service: str) -> str:
    """Spell a service principal for a message, in which a token would be unreadable."""
    return service if is_known(service) else "workmail.${AWS::Region}.amazonaws.com"
