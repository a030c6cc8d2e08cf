"""What Lambda sends to a function's on-failure destination when it gives an asynchronous invocation up."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workmail_flow.arns import UNPUBLISHED
from workmail_flow.failure_record import FailureRecord

if TYPE_CHECKING:
    from workmail_local.deployment import DeployedFunction
    from workmail_local.email_flow.loopback_aws import LoopbackAws
    from workmail_local.records import Attempt


def failure_record(
    *,
    function: DeployedFunction,
    event: dict[str, Any],
    attempt: Attempt,
    invoke_count: int,
    condition: str,
    now: float,
) -> dict[str, Any]:
    """Return the invocation record in the form that AWS documents for destinations.

    Args:
        function: The function, alias or version that was invoked.
        event: Its event.
        attempt: The last attempt.
        invoke_count: How often the function ran for this invocation.
        condition: `RetriesExhausted` or `EventAgeExceeded`.
        now: Seconds since the epoch.
    """
    qualified = function.arn.count(":") > 6
    return FailureRecord(
        timestamp=datetime.fromtimestamp(now, tz=UTC),
        request_id=attempt.request_id or str(uuid.uuid4()),  # Lambda gives one to an event that it never ran, too
        function_arn=function.arn if qualified else f"{function.arn}:{UNPUBLISHED}",
        condition=condition,
        invoke_count=invoke_count,
        event=event,
        error_type=attempt.error_type,
        error_message=attempt.error,
        executed_version=function.version,
    ).to_json()


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
