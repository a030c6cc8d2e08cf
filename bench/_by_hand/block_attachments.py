"""No programs, by extension and by how a file begins, also inside zip archives."""

import email
import email.policy
import io
import zipfile

import boto3
import puremagic

message_flow = boto3.client("workmailmessageflow")
BLOCKED = (".exe", ".js", ".vbs")


def handler(event, context):
    raw = message_flow.get_raw_message_content(messageId=event["messageId"])["messageContent"].read()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    action = {"type": "DEFAULT"}
    for part in message.iter_attachments():
        content = part.get_payload(decode=True) or b""
        if is_blocked(part.get_filename() or "", content):
            action = {"type": "BOUNCE", "bounceMessage": "We take no programs by mail."}
            break
    return {"actions": [{"action": action, "allRecipients": True}]}


def is_blocked(name, content):
    if name.lower().endswith(BLOCKED):
        return True
    try:
        if puremagic.from_string(content, filename=name).endswith(BLOCKED):
            return True
    except puremagic.PureError:
        pass
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return False
    archive = zipfile.ZipFile(io.BytesIO(content))
    return any(is_blocked(entry, archive.read(entry)) for entry in archive.namelist())
