"""What an upstream gateway found decides."""

import email
import email.policy
import re

import boto3

message_flow = boto3.client("workmailmessageflow")


def handler(event, context):
    raw = message_flow.get_raw_message_content(messageId=event["messageId"])["messageContent"].read()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    values = message.get_all("X-Gateway-Verdict", [])
    found = any(re.search("spam", str(value)) for value in values)
    action = {"type": "MOVE_TO_JUNK"} if found else {"type": "BYPASS_SPAM_CHECK"}
    return {"actions": [{"action": action, "allRecipients": True}]}
