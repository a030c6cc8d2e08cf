"""What a rule's function may do with message content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.message_bucket import put_statements
from workmail_flow.arns import GET_CONTENT, PUT_CONTENT

if TYPE_CHECKING:
    from constructs import Construct

    from workmail_constructs.function_record import FunctionRecord
    from workmail_constructs.interfaces import AnyBucket
    from workmail_constructs.message_bucket import MessageBucketOptions
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_flow.vocabulary import FlowDirection


class ContentAccess(StrEnum):
    """What the function may do with the content of the messages its rule sees."""

    NONE = "NONE"
    """Nothing: it decides by the event alone."""
    READ = "READ"
    """Fetch it, within the 24 hours a message is in transit (C2)."""
    UPDATE = "UPDATE"
    """Fetch it and replace it; only a synchronous rule can (C4)."""


AnyContentAccess: TypeAlias = ContentAccess | Literal["NONE", "READ", "UPDATE"]


@dataclass(frozen=True, slots=True)
class ContentGrant:
    """What a function gets for its access to message content."""

    statements: tuple[PolicyStatement, ...] = ()
    """The rights of its role."""
    message_bucket: AnyBucket | None = None
    """Where it puts updated messages; None without `ContentAccess.UPDATE`."""


_ACTIONS: Final = {ContentAccess.READ: (GET_CONTENT,), ContentAccess.UPDATE: (GET_CONTENT, PUT_CONTENT)}


def content_grant(
    rule: Construct,
    access: ContentAccess,
    *,
    owner: FunctionRecord,
    organization: WorkMailOrganization,
    direction: FlowDirection,
    bucket_options: MessageBucketOptions,
) -> ContentGrant:
    """Return what a function needs for its access to one organization's messages of one direction, and no others (C3).

    For updates that includes its bucket.
    """
    if access is ContentAccess.NONE:
        return ContentGrant()
    messages = organization.message_arn(direction)
    statement = owner.record.statements.get((messages, access))
    if statement is None:
        statement = PolicyStatement(actions=[*_ACTIONS[access]], resources=[messages])
        owner.record.statements[messages, access] = statement
    if access is ContentAccess.READ:
        return ContentGrant((statement,))
    bucket = owner.bucket_for(rule, bucket_options, organization)
    return ContentGrant((statement, *put_statements(bucket)), bucket)
