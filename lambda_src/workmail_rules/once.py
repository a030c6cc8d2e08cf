"""Does something once for each invocation, however often WorkMail tries it again (E7), with a DynamoDB table."""

from __future__ import annotations

import json
import logging
import os
import time

from workmail_flow.packed_steps import ONCE_TABLE_VARIABLE
from workmail_rules.aws_call import call
from workmail_rules.step_errors import BusyError, StepError
from workmail_rules.time_limit import run_shielded
from workmail_runtime.content_errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from workmail_runtime.event import Event

_logger = logging.getLogger("workmail_rules")

KEPT_S: Final = 24 * 60 * 60
"""How long it is known what was done: longer than any rule timeout (F13) and than Lambda's own retries."""

RECORD_S: Final = 0.3
"""How long writing down what was done may take past the deadline: less than is kept for the answer."""


def once(event: Event, name: str, do: Callable[[], Any], *, deadline: float) -> Any:
    """Do something once; see `Message.once`.

    Args:
        event: Of the invocation. An older edition has no id (E2): the work is then done each time.
        name: Of the work, unique in the rule.
        do: The work; returns a JSON value.
        deadline: The `time.monotonic()` at which this run is over, and its claim with it.
    """
    if event.invocation_id is None:
        _logger.warning("the event has no invocationId (E2): a retry would do the work again")
        return do()
    table = os.environ.get(ONCE_TABLE_VARIABLE)
    if not table:
        message = f"{ONCE_TABLE_VARIABLE} is not set: the step's class has to call binding.use_once()"
        raise StepError(message)
    key = {"id": {"S": f"{event.invocation_id}/{name}"}}
    attempt = os.urandom(8).hex()
    now = time.time()
    over = now + max(deadline - time.monotonic(), 0) + 1
    claim = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET attempt = :attempt, lease = :over, expires = :expires",
        # Not done, and nobody is at it.
        "ConditionExpression": "attribute_not_exists(id) OR (attribute_not_exists(done) AND lease < :now)",
        "ExpressionAttributeValues": {
            ":attempt": {"S": attempt},
            ":over": {"N": f"{over:.3f}"},
            ":now": {"N": f"{now:.3f}"},
            ":expires": {"N": str(int(now) + KEPT_S)},
        },
    }
    try:
        call("DynamoDB", "UpdateItem", claim, deadline=deadline)
    except ServiceError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        get = {"TableName": table, "Key": key, "ConsistentRead": True}
        item = call("DynamoDB", "GetItem", get, deadline=deadline).get("Item", {})
        if "done" in item:
            return json.loads(item["done"]["S"])
        # The claim may be this one: its answer was lost, and it was sent again.
        if item.get("attempt") != {"S": attempt}:
            message = f"{name} is being done by another attempt of this invocation"
            raise BusyError(message) from error
    try:
        value = do()
        text = json.dumps(value)
    except BaseException:
        run_shielded(lambda: _forget(table, key, attempt))
        raise
    record = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET done = :done, expires = :expires REMOVE lease, attempt",
        "ExpressionAttributeValues": {":done": {"S": text}, ":expires": {"N": str(int(now) + KEPT_S)}},
    }
    run_shielded(lambda: call("DynamoDB", "UpdateItem", record, deadline=max(deadline, time.monotonic()) + RECORD_S))
    return value


def _forget(table: str, key: dict[str, Any], attempt: str) -> None:
    """Let a retry do the work at once; if that fails too, it does it once this run's time is over."""
    forget = {
        "TableName": table,
        "Key": key,
        "ConditionExpression": "attempt = :attempt",
        "ExpressionAttributeValues": {":attempt": {"S": attempt}},
    }
    try:
        call("DynamoDB", "DeleteItem", forget, deadline=time.monotonic() + RECORD_S)
    except Exception as error:
        _logger.warning("a claim is kept until it is over: %s", type(error).__name__)
