"""A deployed rule of several steps: a later one fails at first, and WorkMail tries again."""

from __future__ import annotations

from pathlib import Path

import pytest

from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("deployed-steps-framework")

APP = Path(__file__).parent / "framework_app"
MESSAGE = Path(__file__).parents[3] / "examples" / "hello_world" / "messages" / "plain.eml"


@pytest.mark.fact("E7", "T2", "C4")
def test_a_retry_does_again_only_what_was_not_done(tmp_path: Path) -> None:
    # Time runs faster, so that WorkMail's waiting between attempts takes less than a second.
    with WorkMailLocal.running(tmp_path, time_scale=60) as local:
        local.deploy_app(APP)
        sent = local.send(MESSAGE)
        tables = local.client("dynamodb").list_tables()["TableNames"]
        (own,) = (name for name in tables if "Counts" in name)
        items = local.client("dynamodb").scan(TableName=own)["Items"]
        inbox = local.inbox("alice@example.com")
    counts = {item["id"]["S"]: int(item["seen"]["N"]) for item in items}
    first, second = sent.attempts
    assert sent.succeeded, sent.attempts
    assert counts == {"charges": 1, "attempts": 2}
    assert (first["outcome"], first["errorType"]) == ("function-error", "StepError")
    assert [(each["step"], each["result"]) for each in first["steps"]] == [
        ("Banner", "DONE"),
        ("Charge", "DONE"),
        ("Late", "FAILED"),
    ]
    assert [(each["step"], each["result"]) for each in second["steps"]] == [
        ("Banner", "DONE"),
        ("Charge", "DONE"),
        ("Late", "DONE"),
        ("Seen", "DONE"),
    ]
    assert [each["notes"] for each in second["steps"] if each["step"] == "Charge"] == [["charged as number 1"]]
    text = inbox[0].get_content()
    assert (len(inbox), text.count("From outside."), text.count("Seen by the rule.")) == (1, 1, 1)
    assert [line for line in sent.logs.splitlines() if "workmailSteps" in line and "@" in line] == []
