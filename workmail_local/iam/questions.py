"""The questions the local WorkMail asks of the deployed policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_local.iam.evaluate import Access, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workmail_local.iam.evaluate import Statement


def workmail_principal(region: str) -> str:
    """The service principal that WorkMail calls as (L4)."""
    return f"workmail.{region}.amazonaws.com"


def may_workmail_invoke(
    function_policies: Mapping[str, Sequence[Statement]], *, function_arn: str, organization_arn: str
) -> Access:
    """Whether WorkMail may invoke a function for an organization (L4).

    Args:
        function_policies: As `Deployment.function_policies` holds them.
        function_arn: As the rule names it; an alias and a version have policies of their own.
        organization_arn: Source ARN of the request; Region and account are the organization's.
    """
    region, account = organization_arn.split(":")[3:5]
    arn = function_arn.removesuffix(":$LATEST")
    statements = function_policies.get(arn, ())
    decision = evaluate(
        statements,
        action="lambda:InvokeFunction",
        resource=arn,
        principal=workmail_principal(region),
        context={
            "aws:SourceArn": organization_arn,
            "aws:SourceAccount": account,
            "aws:RequestedRegion": region,
            "aws:SecureTransport": "true",
        },
    )
    if decision.allowed or statements:
        return decision
    unqualified = ":".join(arn.split(":")[:7])
    others = sorted(other for other in function_policies if other.startswith(unqualified) and other != arn)
    hint = f"; the permission is on {others[0]}, which is another one" if others else ""
    return Access(False, f"the function policy of {arn} has no statement, so WorkMail may not invoke it{hint}")


def may_role(
    role_policies: Mapping[str, Sequence[Statement]], *, role_arn: str, action: str, resource: str, region: str
) -> Access:
    """Whether a role's own policies allow an action; a permissions boundary is not looked at.

    For message content the action is `workmailmessageflow:GetRawMessageContent` or `…:PutRawMessageContent` and the
    resource is the message's ARN (C3).

    Args:
        role_policies: As `Deployment.role_policies` holds them.
        role_arn: The function's role.
        action: The action.
        resource: ARN of what it acts on.
        region: Region the request is sent to.
    """
    if role_arn not in role_policies:
        return Access(False, f"{role_arn} is not deployed here, so none of its policies are known")
    return evaluate(
        role_policies[role_arn],
        action=action,
        resource=resource,
        context=identity_context(role_arn, region),
    )


def may_workmail_read_object(
    bucket_policies: Mapping[str, Sequence[Statement]], *, bucket: str, key: str, message_arn: str
) -> Access:
    """Whether WorkMail may read an updated message from a bucket (C5); both actions it needs must be allowed.

    Args:
        bucket_policies: As `Deployment.bucket_policies` holds them.
        bucket: The bucket's name.
        key: The object's key.
        message_arn: Source ARN of the request (C3); Region and account are the message's.
    """
    region, account = message_arn.split(":")[3:5]
    decision = Access(False, f"bucket {bucket} has no policy, so WorkMail may not read from it")
    for action in ("s3:GetObject", "s3:GetObjectVersion") if bucket_policies.get(bucket) else ():
        decision = evaluate(
            bucket_policies[bucket],
            action=action,
            resource=f"arn:aws:s3:::{bucket}/{key}",
            principal=workmail_principal(region),
            context={
                "aws:SourceArn": message_arn,
                "aws:SourceAccount": account,
                "aws:RequestedRegion": region,
                "aws:SecureTransport": "true",
            },
        )
        if not decision.allowed:
            break
    return decision


def identity_context(role_arn: str, region: str) -> dict[str, str]:
    """Condition keys of a request that a function signs as its role; it would call over TLS."""
    return {
        "aws:PrincipalArn": role_arn,
        "aws:PrincipalAccount": role_arn.split(":")[4],
        "aws:PrincipalType": "AssumedRole",
        "aws:RequestedRegion": region,
        "aws:SecureTransport": "true",
    }
