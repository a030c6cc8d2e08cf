"""Answers what the subject asks for: `{"actions": ...}` as JSON, or a word."""

import json
import os
import time

_CALLS = 0


def handler(event, context):
    global _CALLS
    _CALLS += 1
    subject = event["subject"]
    print(json.dumps({"call": _CALLS, "invocationId": event["invocationId"]}))
    if subject == "raise":
        raise ValueError("on purpose")
    if subject == "exit":
        os._exit(3)
    if subject == "null":
        return None
    if subject.startswith("sleep "):
        time.sleep(float(subject.removeprefix("sleep ")))
        return {"actions": [{"allRecipients": True, "action": {"type": "DROP"}}]}
    if subject == "large":
        return {"actions": [], "padding": "x" * 300_000}
    if subject == "environment":
        return json.loads(os.environ["REPLY"])
    if subject.startswith("{"):
        return json.loads(subject)
    return {"actions": [{"allRecipients": True, "action": {"type": "DEFAULT"}}]}
