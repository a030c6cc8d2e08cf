"""The message and its event in a bucket, under a key by date, direction and id."""

import json
import os
from datetime import UTC, datetime

import boto3

message_flow = boto3.client("workmailmessageflow")
s3 = boto3.client("s3")


def handler(event, context):
    raw = message_flow.get_raw_message_content(messageId=event["messageId"])["messageContent"].read()
    key = f"{datetime.now(UTC):%Y/%m/%d}/{event['flowDirection'].lower()}/{event['messageId']}/{event['invocationId']}"
    bucket = os.environ["ARCHIVE"]
    s3.put_object(Bucket=bucket, Key=f"{key}.eml", Body=raw, ContentType="message/rfc822")
    s3.put_object(Bucket=bucket, Key=f"{key}.json", Body=json.dumps(event).encode(), ContentType="application/json")
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
