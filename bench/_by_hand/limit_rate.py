"""So many messages per minute for an address, counted in a table."""

import os
import time

import boto3
from botocore.exceptions import ClientError

dynamodb = boto3.client("dynamodb")
PROTECTED = {"all@example.com"}


def handler(event, context):
    minute = int(time.time() // 60)
    actions = []
    for address in (recipient["address"] for recipient in event["envelope"]["recipients"]):
        if address.lower() not in PROTECTED:
            continue
        try:
            dynamodb.update_item(
                TableName=os.environ["TABLE"],
                Key={"id": {"S": f"{address}/{minute}"}},
                UpdateExpression="ADD messages :one, ids :ids SET expires = :expires",
                ConditionExpression="(attribute_not_exists(messages) OR messages < :most) AND NOT contains(ids, :id)",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":most": {"N": "1000"},
                    ":ids": {"SS": [event["invocationId"]]},
                    ":id": {"S": event["invocationId"]},
                    ":expires": {"N": str((minute + 300) * 60)},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            if event["invocationId"] not in error.response["Item"].get("ids", {}).get("SS", ()):
                bounce = {"type": "BOUNCE", "bounceMessage": "Too many messages."}
                actions.append({"action": bounce, "recipients": [address]})
    actions.append({"action": {"type": "DEFAULT"}, "allRecipients": True})
    return {"actions": actions}
