"""An event on a bus, once for an invocation: claimed and written down in a table, as Powertools' idempotency does."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError

dynamodb = boto3.client("dynamodb")
events = boto3.client("events")


def handler(event, context):
    key = {"id": {"S": event["invocationId"]}}
    try:
        dynamodb.put_item(
            TableName=os.environ["TABLE"],
            Item={**key, "expires": {"N": str(int(time.time()) + 86_400)}, "lease": {"N": str(time.time() + 15)}},
            ConditionExpression="attribute_not_exists(id) OR (attribute_not_exists(done) AND lease < :now)",
            ExpressionAttributeValues={":now": {"N": str(time.time())}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    else:
        detail = {
            "direction": event["flowDirection"],
            "messageId": event["messageId"],
            "invocationId": event["invocationId"],
            "recipients": len(event["envelope"]["recipients"]),
        }
        entry = {
            "EventBusName": os.environ["BUS"],
            "Source": "workmail.rules",
            "DetailType": "WorkMail Message",
            "Detail": json.dumps(detail),
        }
        done = events.put_events(Entries=[entry])["Entries"][0]["EventId"]
        dynamodb.update_item(
            TableName=os.environ["TABLE"],
            Key=key,
            UpdateExpression="SET done = :done",
            ExpressionAttributeValues={":done": {"S": done}},
        )
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
