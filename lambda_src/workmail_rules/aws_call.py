"""One call to an AWS service that speaks JSON, without boto3: what the steps need of AWS."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

# By service id, as botocore names it: the endpoint's prefix, the signing name, the target's prefix, the JSON version.
_SERVICES: Final = {
    "DynamoDB": ("dynamodb", "dynamodb", "DynamoDB_20120810", "1.0"),
    "EventBridge": ("events", "events", "AWSEvents", "1.1"),
    "Secrets Manager": ("secretsmanager", "secretsmanager", "secretsmanager", "1.1"),
    "SFN": ("states", "states", "AWSStepFunctions", "1.0"),
    "Translate": ("translate", "translate", "AWSShineFrontendService_20170701", "1.1"),
    "WorkMail": ("workmail", "workmail", "WorkMailService", "1.1"),
}


def call(
    service: str,
    operation: str,
    arguments: Mapping[str, Any],
    *,
    deadline: float | None = None,
    host_prefix: str = "",
) -> dict[str, Any]:
    """Call an operation and return its answer.

    Args:
        service: Its service id as botocore names it.
        operation: Its name.
        arguments: What it takes, as JSON; bytes in base64.
        deadline: The `time.monotonic()` at which to give up.
        host_prefix: What the operation has before its service's host, by botocore's model; a configured endpoint has
            none.

    Raises:
        ServiceError: The service refused.
        ServiceUnreachableError: No try before the deadline got a usable answer.
    """
    from workmail_runtime.aws_request import AwsRequest, send  # HTTP and TLS, only where there is a call
    from workmail_runtime.aws_settings import read_settings

    prefix, signing_name, target, version = _SERVICES[service]
    settings = read_settings(service)
    endpoint = settings.endpoint_url
    if endpoint is None:
        host = f"{host_prefix}{prefix}{'-fips' if settings.use_fips else ''}"
        endpoint = f"https://{host}.{settings.region}.{'api.aws' if settings.use_dualstack else 'amazonaws.com'}"
    headers = {"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": f"{target}.{operation}"}
    body = json.dumps(arguments, separators=(",", ":")).encode()
    answer = send(AwsRequest("POST", f"{endpoint}/", signing_name, headers, body), settings, deadline=deadline)
    read: dict[str, Any] = json.loads(answer.body or b"{}")
    return read
