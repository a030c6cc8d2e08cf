"""Lets a deployed function do what its role allows and no more; moto's own check knows no conditions."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from workmail_flow.arns import INVOKE_FUNCTION, organization_arn
from workmail_local.aws.function_invocations import invoked_function
from workmail_local.aws.refusal import refusal
from workmail_local.aws.request_guard import credential_of
from workmail_local.iam.evaluate import Access, evaluate
from workmail_local.iam.questions import identity_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workmail_local.aws.function_identities import FunctionIdentities, FunctionIdentity

_ELEMENTS_ABOUT_ACTIONS = ("Sid", "Effect", "Action", "NotAction")
_NEEDS_NO_PERMISSION = frozenset({"sts:GetCallerIdentity"})
# What a request on an object needs. Requests on a sub-resource (`?tagging`, `?acl`…) pass.
_OBJECT_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_PLAIN_PARAMETERS = frozenset({"x-id", "versionId", "partNumber", "uploadId", "uploads"})
_LISTING_PARAMETERS = _PLAIN_PARAMETERS | {
    *("list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type"),
    *("marker", "fetch-owner"),
}


@dataclass(frozen=True, slots=True)
class _Request:
    """What a request wants to do.

    Attributes:
        resource: An ARN; None if the request does not name one plainly, so that the action alone decides.
        bucket: The bucket whose policy decides too.
    """

    action: str
    resource: str | None
    bucket: str | None = None


class FunctionAccess:
    """WSGI middleware, behind the `RequestGuard`, that refuses what the role of the calling function does not allow.

    Only requests of deployed functions are checked: those of the CDK CLI, of tests and of a person pass. Action and
    resource decide on S3 objects and listings, DynamoDB tables, queues, topics, invoked functions and WorkMail
    organizations; the action alone decides on other services, so that a least-privilege role is never refused what it
    allows.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], identities: FunctionIdentities) -> None:
        self._application = application
        self._identities = identities

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass the request on, or refuse it as AWS would."""
        credential = credential_of(environ)
        identity = self._identities.of_key(credential.key_id)
        if identity is None:
            return self._application(environ, start_response)
        wanted = _wanted(environ, credential.service, credential.region, identity.account)
        if wanted is None or wanted.action in _NEEDS_NO_PERMISSION:
            return self._application(environ, start_response)
        access = self._decide(wanted, identity, credential.region)
        if access.allowed:
            return self._application(environ, start_response)
        on = "" if wanted.resource is None else f" on resource: {wanted.resource}"
        message = f"User: {identity.role_arn} is not authorized to perform: {wanted.action}{on}: {access.reason}"
        status = 400 if "HTTP_X_AMZ_TARGET" in environ else 403
        denied = refusal(environ, message, json_code="AccessDeniedException", xml_code="AccessDenied", status=status)
        return denied(environ, start_response)

    def _decide(self, wanted: _Request, identity: FunctionIdentity, region: str) -> Access:
        statements = self._identities.role_statements(identity.role_arn)
        if wanted.resource is None:
            return _decide_by_action(statements, wanted.action)
        context = identity_context(identity.role_arn, region, wanted.resource)
        own = evaluate(statements, action=wanted.action, resource=wanted.resource, context=context)
        if wanted.bucket is None:
            return own
        of_bucket = evaluate(
            self._identities.bucket_statements(wanted.bucket),
            action=wanted.action,
            resource=wanted.resource,
            principal=identity.role_arn,
            context=context,
        )
        if own.denied or of_bucket.denied:
            return own if own.denied else of_bucket
        return of_bucket if of_bucket.allowed else own


def _decide_by_action(statements: Iterable[dict[str, Any]], action: str) -> Access:
    anywhere = [
        {"Resource": "*"} | {name: statement[name] for name in _ELEMENTS_ABOUT_ACTIONS if name in statement}
        for statement in statements
        if isinstance(statement, dict) and statement.get("Effect") == "Allow"
    ]
    return evaluate(anywhere, action=action, resource="*")


def _wanted(environ: dict[str, Any], service: str, region: str, account: str) -> _Request | None:
    if service == "s3":
        return _wanted_of_s3(environ)
    if function := invoked_function(environ, region=region, account=account):
        return _Request(INVOKE_FUNCTION, function)
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target is not None:
        operation, body = target.rpartition(".")[2], json.loads(_body(environ) or b"{}")
    else:
        form = parse_qs(_body(environ).decode(errors="replace")) if _is_form(environ) else {}
        operation, body = "".join(form.get("Action", ())), {name: values[0] for name, values in form.items()}
    if not operation:
        return None
    if service == "sqs":
        operation = operation.removesuffix("Batch")  # which IAM does not know
    return _Request(f"{service}:{operation}", _resource(service, body, f"{region}:{account}"))


def _resource(service: str, body: dict[str, Any], place: str) -> str | None:
    match service, body:
        case "dynamodb", {"TableName": str(table)}:
            arn = table if table.startswith("arn:") else f"arn:aws:dynamodb:{place}:table/{table}"
            return f"{arn}/index/{body['IndexName']}" if "IndexName" in body else arn
        case "sqs", {"QueueUrl": str(url)}:
            return f"arn:aws:sqs:{place}:{url.rpartition('/')[2]}"
        case "sns", {"TopicArn": str(arn)}:
            return arn
        case "workmail", {"OrganizationId": str(organization)}:
            return organization_arn(organization, region=place.partition(":")[0], account=place.partition(":")[2])
        case _:
            return None


def _wanted_of_s3(environ: dict[str, Any]) -> _Request | None:
    path = unquote(environ.get("PATH_INFO", "/")).lstrip("/")
    host = environ.get("HTTP_HOST", "").partition(":")[0]
    if host.endswith(".localhost"):
        path = f"{host.removesuffix('.localhost')}/{path}"
    bucket, _, key = path.partition("/")
    parameters = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).keys()
    method = environ["REQUEST_METHOD"]
    if key and parameters <= _PLAIN_PARAMETERS:
        action = "s3:PutObject" if method == "POST" else _OBJECT_ACTIONS.get(method)
        if action == "s3:GetObject" and "versionId" in parameters:
            action = "s3:GetObjectVersion"
        return None if action is None else _Request(action, f"arn:aws:s3:::{bucket}/{key}", bucket)
    if bucket and not key and method in {"GET", "HEAD"} and parameters <= _LISTING_PARAMETERS:
        return _Request("s3:ListBucket", f"arn:aws:s3:::{bucket}", bucket)
    return None


def _is_form(environ: dict[str, Any]) -> bool:
    return str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
