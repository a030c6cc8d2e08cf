"""What a cold start loads."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.unit.runtime.load_event import load_event

HANDLER = """
import json, sys
from workmail_runtime import Reply, SynchronousEvent, synchronous

@synchronous
def handler(event: SynchronousEvent) -> Reply:
    return event.reply.default_for_all()

answer = handler(json.load(sys.stdin), None)
print(json.dumps([answer, sorted(sys.modules)]))
"""


def test_a_handler_that_only_looks_at_the_event_loads_nothing_of_aws_and_nothing_heavy() -> None:
    event = json.dumps(load_event("inbound"))
    done = subprocess.run([sys.executable, "-c", HANDLER], input=event, capture_output=True, text=True, check=True)
    answer, modules = json.loads(done.stdout)
    assert answer["actions"]
    tops = {name.partition(".")[0] for name in modules}
    assert tops.isdisjoint({"boto3", "botocore", "urllib3", "aws_lambda_powertools"})
    # Each of these costs more than all of ours.
    assert tops.isdisjoint({"dataclasses", "inspect", "typing", "http", "email", "ssl"})
