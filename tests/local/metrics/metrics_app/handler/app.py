"""Edits mail, bounces some, and prints lines that are embedded metrics of its own, and others that only look so."""

from __future__ import annotations

import json
import time

from workmail_runtime import Reply, SynchronousEvent, synchronous


@synchronous
def handler(event: SynchronousEvent) -> Reply:
    """Prefix the subject, and bounce what is for bob."""
    definition = {"Namespace": "Own", "Dimensions": [[]], "Metrics": [{"Name": "Seen", "Unit": "Count"}]}
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]}
    print(json.dumps({"_aws": aws, "Seen": [1, 2]}))
    print('{"_aws": [')
    print(json.dumps({"_aws": aws, "Seen": "3"}))
    content = event.fetch_content()
    editor = content.edit()
    editor.prefix_subject("[EXT]")
    content.put(editor)
    bob = [address for address in event.recipients if address.startswith("bob@")]
    return event.reply.bounce(bob, message="No.").default_for_all()
