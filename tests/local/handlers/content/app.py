"""Reads the message, and puts it back with its subject changed, as the WorkMail guide shows."""

import os
import uuid

import boto3
from botocore.exceptions import ClientError

workmail = boto3.client("workmailmessageflow")
s3 = boto3.client("s3")


def handler(event, context):
    message_id = event["messageId"]
    raw = workmail.get_raw_message_content(messageId=message_id)["messageContent"].read()
    print("read", len(raw), "edits", raw.count(b"[edited]"))
    if event["subject"] == "break":
        updated = raw.replace(b"Subject:", b"Subject: y\r\nSubject:")
    else:
        updated = raw.replace(b"Subject:", b"Subject: [edited]", 1)
    key = str(uuid.uuid4())
    s3.put_object(Bucket=os.environ["WORKMAIL_MESSAGE_BUCKET"], Key=key, Body=updated)
    try:
        workmail.put_raw_message_content(
            messageId=message_id,
            content={"s3Reference": {"bucket": os.environ["WORKMAIL_MESSAGE_BUCKET"], "key": key}},
        )
    except ClientError as error:
        print("put", error.response["Error"]["Code"], error.response["Error"]["Message"])
        if "raise" in event["subject"]:
            raise
    if event["subject"] == "put and fail":
        raise RuntimeError("after the put")
    return {"actions": [{"allRecipients": True, "action": {"type": "DEFAULT"}}]}
