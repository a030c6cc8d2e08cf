"""A prefix of the subject."""

import email
import email.policy
import os
import uuid

import boto3

message_flow = boto3.client("workmailmessageflow")
s3 = boto3.client("s3")
PREFIX = "[EXTERNAL] "


def handler(event, context):
    message_id = event["messageId"]
    raw = message_flow.get_raw_message_content(messageId=message_id)["messageContent"].read()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    subject = message["Subject"] or ""
    if PREFIX not in subject:
        del message["Subject"]
        message["Subject"] = PREFIX + subject
        key = str(uuid.uuid4())
        s3.put_object(Bucket=os.environ["WORKMAIL_MESSAGE_BUCKET"], Key=key, Body=message.as_bytes())
        reference = {"bucket": os.environ["WORKMAIL_MESSAGE_BUCKET"], "key": key}
        message_flow.put_raw_message_content(messageId=message_id, content={"s3Reference": reference})
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
