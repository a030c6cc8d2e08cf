"""What Lambda sends to a function's on-failure destination when it gives an asynchronous invocation up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workmail_local.deployment import UNPUBLISHED

if TYPE_CHECKING:
    from workmail_local.deployment import DeployedFunction
    from workmail_local.email_flow.loopback_aws import LoopbackAws
    from workmail_local.records import Attempt


def failure_record(
    *, function: DeployedFunction, event: dict[str, Any], attempt: Attempt, condition: str, now: float
) -> dict[str, Any]:
    """Return the invocation record in the form that AWS documents for destinations.

    Args:
        function: The function, alias or version that was invoked.
        event: Its event.
        attempt: The last attempt.
        condition: `RetriesExhausted` or `EventAgeExceeded`.
        now: Seconds since the epoch.
    """
    qualified = function.arn.count(":") > 6
    timestamp = datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "version": "1.0",
        "timestamp": timestamp,
        "requestContext": {
            "requestId": attempt.request_id,
            "functionArn": function.arn if qualified else f"{function.arn}:{UNPUBLISHED}",
            "condition": condition,
            "approximateInvokeCount": attempt.number,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": function.version, "functionError": "Unhandled"},
        "responsePayload": {"errorType": attempt.error_type, "errorMessage": attempt.error},
    }


class Destinations:
    """Sends records to queues and topics of the loopback AWS endpoint."""

    def __init__(self, aws: LoopbackAws) -> None:
        self._aws = aws

    async def send(self, arn: str, record: dict[str, Any]) -> str | None:
        """Send a record to an SQS queue or an SNS topic; return what prevented it, or None."""
        _, _, service, region, account, name = arn.split(":", 5)
        body = json.dumps(record)
        if service == "sqs":
            url = f"{self._aws.endpoint}/{account}/{name}"
            form = {"Action": "SendMessage", "QueueUrl": url, "MessageBody": body, "Version": "2012-11-05"}
        elif service == "sns":
            form = {"Action": "Publish", "TopicArn": arn, "Message": body, "Version": "2010-03-31"}
        else:
            return f"a destination of service {service} is not supported here; queues and topics are"
        return await self._aws.query(service, region=region, account=account, form=form)

    async def make_queue(self, arn: str) -> str | None:
        """Make an SQS queue if it does not exist; return what prevented it, or None."""
        _, _, service, region, account, name = arn.split(":", 5)
        form = {"Action": "CreateQueue", "QueueName": name, "Version": "2012-11-05"}
        return await self._aws.query(service, region=region, account=account, form=form)
