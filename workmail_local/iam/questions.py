"""The questions the local WorkMail asks of the deployed policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_flow.arns import INVOKE_FUNCTION, READ_UPDATED, workmail_principal
from workmail_local.deployment import SEND_FAILED_EVENT
from workmail_local.iam.evaluate import Access, evaluate
from workmail_local.iam.pattern import arn_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workmail_local.deployment import Statement
    from workmail_local.iam.request_context import RequestContext

# Keys about organizations in AWS Organizations, about tags and about VPC endpoints: nothing local says whether there
# are any.
_NOT_KNOWN_HERE: RequestContext = dict.fromkeys(
    (
        *("aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:SourceOrgID", "aws:SourceOrgPaths"),
        *("aws:PrincipalTag/*", "aws:RequestTag/*", "aws:ResourceTag/*", "aws:TagKeys"),
        *("aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:VpcSourceIp"),
        *("aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths"),
    )
)
# S3 takes no older version, so a condition on a newer one does not hold here.
_LEAST_TLS_VERSION = "1.2"


def may_workmail_invoke(
    function_policies: Mapping[str, Sequence[Statement]], *, function_arn: str, organization_arn: str
) -> Access:
    """Whether WorkMail may invoke a function for an organization (L4).

    Args:
        function_policies: As `Deployment.function_policies` holds them.
        function_arn: As the rule names it; an alias and a version have policies of their own.
        organization_arn: Source ARN of the request; Region and account are the organization's.
    """
    arn = function_arn.removesuffix(":$LATEST")
    statements = function_policies.get(arn, ())
    decision = _may_workmail(statements, action=INVOKE_FUNCTION, resource=arn, source_arn=organization_arn)
    if decision.allowed or statements:
        return decision
    unqualified = ":".join(arn.split(":")[:7])
    others = sorted(other for other in function_policies if other.startswith(unqualified) and other != arn)
    hint = f"; the permission is on {others[0]}, which is another one" if others else ""
    return Access(False, f"the function policy of {arn} has no statement, so WorkMail may not invoke it{hint}")


def may_role(
    role_policies: Mapping[str, Sequence[Statement]], *, role_arn: str, action: str, resource: str, region: str
) -> Access:
    """Whether a role's own policies allow an action; permissions boundaries are ignored.

    For message content the action is one of those in C1 and the resource is the message's ARN (C3).

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
        context=identity_context(role_arn, region, resource),
    )


def may_role_send(role_policies: Mapping[str, Sequence[Statement]], *, role_arn: str, destination: str) -> Access:
    """Whether a function's role may send the events that the function failed on to a queue or topic.

    Args:
        role_policies: As `Deployment.role_policies` holds them.
        role_arn: The function's role.
        destination: ARN of the queue or topic; one of another service passes.
    """
    _, _, service, region, _, _ = arn_parts(destination)
    action = SEND_FAILED_EVENT.get(service)
    if action is None:
        return Access(True, f"destinations of {service} are not checked")
    return may_role(role_policies, role_arn=role_arn, action=action, resource=destination, region=region)


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
    decision = Access(False, f"bucket {bucket} has no policy, so WorkMail may not read from it")
    for action in READ_UPDATED if bucket_policies.get(bucket) else ():
        decision = _may_workmail(
            bucket_policies[bucket],
            action=action,
            resource=f"arn:aws:s3:::{bucket}/{key}",
            source_arn=message_arn,
        )
        if not decision.allowed:
            break
    return decision


def identity_context(role_arn: str, region: str, resource: str) -> RequestContext:
    """Condition keys of a request that a function sends itself, signed as its role; it would use TLS."""
    _, _, service, _, account, _ = arn_parts(resource)
    return {
        **_NOT_KNOWN_HERE,
        "aws:PrincipalArn": role_arn,
        "aws:PrincipalAccount": arn_parts(role_arn)[4],
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": "false",
        "aws:PrincipalOrgID": None,
        "aws:PrincipalOrgPaths": None,
        "aws:ViaAWSService": "false",
        "aws:RequestedRegion": region,
        "aws:ResourceAccount": account or None,
        "aws:SecureTransport": "true",
        "lambda:SourceFunctionArn": None,
        **_service_keys(service),
    }


def _may_workmail(statements: Sequence[Statement], *, action: str, resource: str, source_arn: str) -> Access:
    """Whether WorkMail may act on a resource of the organization's own Region and account (L2, C5)."""
    region = arn_parts(source_arn)[3]
    return evaluate(
        statements,
        action=action,
        resource=resource,
        principal=workmail_principal(region),
        context=workmail_context(resource, source_arn),
    )


def workmail_context(resource: str, source_arn: str) -> RequestContext:
    """Condition keys of a request that WorkMail sends for an organization or a message, its source ARN (L4, C5)."""
    _, _, _, region, account, _ = arn_parts(source_arn)
    return {
        **_NOT_KNOWN_HERE,
        "aws:SourceArn": source_arn,
        "aws:SourceAccount": account,
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": workmail_principal(region),
        "aws:PrincipalServiceNamesList": None,
        "aws:RequestedRegion": region,
        "aws:ResourceAccount": account,
        "aws:SecureTransport": "true",
        **_service_keys(arn_parts(resource)[2]),
    }


def _service_keys(service: str) -> RequestContext:
    """A service's own keys: which ones it supplies depends on the request, so none of them counts as absent."""
    return {f"{service}:*": None} | ({"s3:TlsVersion": _LEAST_TLS_VERSION} if service == "s3" else {})
