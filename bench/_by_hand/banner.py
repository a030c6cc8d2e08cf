"""A text above the plain and the HTML body."""

import email
import email.policy
import html
import os
import uuid

import boto3

message_flow = boto3.client("workmailmessageflow")
s3 = boto3.client("s3")
TEXT = "This message comes from outside."


def handler(event, context):
    message_id = event["messageId"]
    raw = message_flow.get_raw_message_content(messageId=message_id)["messageContent"].read()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        if part.get_content_type() == "text/plain" and not part.is_attachment():
            part.set_content(f"{TEXT}\n\n{part.get_content()}")
        elif part.get_content_type() == "text/html" and not part.is_attachment():
            part.set_content(f"<p>{html.escape(TEXT)}</p>{part.get_content()}", subtype="html")
    key = str(uuid.uuid4())
    s3.put_object(Bucket=os.environ["WORKMAIL_MESSAGE_BUCKET"], Key=key, Body=message.as_bytes())
    reference = {"bucket": os.environ["WORKMAIL_MESSAGE_BUCKET"], "key": key}
    message_flow.put_raw_message_content(messageId=message_id, content={"s3Reference": reference})
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
