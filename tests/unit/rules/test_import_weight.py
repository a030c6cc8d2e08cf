"""What a cold start of a rule with steps loads."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.unit.runtime.load_event import load_event

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = {
    "version": 1,
    "synchronous": True,
    "direction": "INBOUND",
    "steps": [{"name": "Drop", "must": False, "edits": False, "condition": {}, "configuration": {"names": ["a", "b"]}}],
}
MODULE = """
import json, sys
from workmail_rules.run_steps import new_handler

def run(message, *, names):
    message.note(str(hash(names) is not None))
    message.drop()

handler = new_handler(sys.argv[1], [run])
answer = handler(json.load(sys.stdin), None)
print(json.dumps([answer, sorted(sys.modules)]))
"""


def test_steps_that_need_no_content_load_nothing_of_it_and_nothing_of_aws(tmp_path: Path) -> None:
    (tmp_path / "workmail_steps.json").write_text(json.dumps(CONFIGURATION))
    command = [sys.executable, "-c", MODULE, str(tmp_path / "rule_steps.py")]
    event = json.dumps(load_event("inbound"))
    done = subprocess.run(command, input=event, capture_output=True, text=True, check=True)
    answer, modules = json.loads(done.stdout.splitlines()[-1])
    assert answer["actions"] == [{"action": {"type": "DROP"}, "allRecipients": True}]
    never = {"workmail_runtime.content", "workmail_runtime.edit", "workmail_runtime.aws_request", "workmail_rules.once"}
    assert never.isdisjoint(modules)
    tops = {name.partition(".")[0] for name in modules}
    assert tops.isdisjoint({"boto3", "botocore", "urllib3", "dataclasses", "inspect", "typing", "http", "email", "ssl"})
