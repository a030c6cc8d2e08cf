"""Counts in a table of the user's own: once per invocation, and once per attempt."""

from __future__ import annotations

from workmail_rules import Message, StepError
from workmail_rules.aws_call import call


def charge(message: Message, *, table: str) -> None:
    """Count the message, once however often the function runs."""
    message.note(f"charged as number {message.once('count', lambda: _count(message, table, 'charges'))}")


def fail_at_first(message: Message, *, table: str) -> None:
    """Fail in the first attempt."""
    if _count(message, table, "attempts") == 1:
        text = "the first attempt fails"
        raise StepError(text)


def _count(message: Message, table: str, name: str) -> int:
    update = {
        "TableName": table,
        "Key": {"id": {"S": name}},
        "UpdateExpression": "ADD seen :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
        "ReturnValues": "UPDATED_NEW",
    }
    answer = call("DynamoDB", "UpdateItem", update, deadline=message.deadline)
    return int(answer["Attributes"]["seen"]["N"])
