"""The example of watched mail: what is seen of mail, from the deployed stack to the commands of whoever is called."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.testing import CliRunner

from tests.examples.own_steps import EXAMPLES
from workmail_constructs.cli.app import app
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

pytestmark = pytest.mark.xdist_group("example-watched-mail")

APP = EXAMPLES / "watched_mail"
INBOUND = APP / "messages" / "inbound.eml"
OUTBOUND = APP / "messages" / "outbound.eml"
STACK = "WatchedMail"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    # Compressed, so that Lambda's retries after one and two minutes come at once.
    with WorkMailLocal.running(tmp_path_factory.mktemp("watched"), time_scale=600) as running:
        running.deploy_app(APP)
        yield running


@pytest.fixture
def run(local: WorkMailLocal, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `workmail-flow` against the local AWS, as `workmail-flow local env` lets a shell do."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in local.daemon.aws_environment().items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == status, done.stderr + done.stdout
        return done

    return run


def log_group(local: WorkMailLocal) -> str:
    (stack,) = local.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    (name,) = (each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "EventLogGroup")
    return str(name)


def entries(local: WorkMailLocal) -> list[dict[str, Any]]:
    found = local.client("logs").filter_log_events(logGroupName=log_group(local), interleaved=True)["events"]
    return [json.loads(each["message"]) for each in found]


def observed(run: Callable[..., Result], local: WorkMailLocal, *source: str, status: int = 0) -> dict[str, Any]:
    arguments = ("rules", "observed", "--log-group", log_group(local), "--since", "1h", "--strict", "--json", *source)
    shown: dict[str, Any] = json.loads(run(*arguments, status=status).stdout)
    return shown


@pytest.mark.fact("W2", "W3", "W4")
def test_the_event_log_says_what_happened_and_agrees_with_the_rules(
    local: WorkMailLocal, run: Callable[..., Result], tmp_path: Path
) -> None:
    inbound = local.send(INBOUND)
    outbound = local.send(OUTBOUND, direction="outbound")
    assert (inbound.succeeded, outbound.succeeded) == (True, True)
    events = [entry["event"] for entry in entries(local)]
    assert [event["eventName"] for event in events] == [
        *("ORGANIZATION_EMAIL_RECEIVED", "RULE_APPLIED", "MAILBOX_EMAIL_DELIVERED"),
        *("OUTGOING_EMAIL_SUBMITTED", "RULE_APPLIED", "OUTGOING_EMAIL_SENT"),
    ]
    received, marked, _, _, journaled, _ = events
    assert (received["dmarcVerdict"], received["dmarcPolicy"]) == ("FAIL", "QUARANTINE")
    assert (marked["ruleName"], journaled["ruleName"]) == ("Marked", "Journaled")
    agreed = observed(run, local, "--stack", STACK)
    assert (agreed["findings"], agreed["messages"]) == ([], 2)

    # What an administrator typed is not what is declared: another name, which the declared rule then never has.
    typed = tmp_path / "rules.json"
    rule = {"direction": "inbound", "action": "BOUNCE", "senders": ["*"], "destinations": ["*"]}
    typed.write_text(json.dumps({"rules": [{"name": "marked", **rule}]}))
    found = observed(run, local, str(typed), status=1)["findings"]
    assert {(each["code"], each["rule"]) for each in found} >= {
        ("never-applied", "marked"),
        ("not-declared", "Marked"),
        ("not-declared", "Journaled"),
    }
    said = run("rules", "observed", "--log-group", log_group(local), "--since", "1h", str(typed)).stdout
    assert "it differs from 'marked' in case, spaces or punctuation only" in said
    assert "alice@example.com" not in said
    assert "Agenda" not in said


def test_the_functions_metrics_are_in_cloudwatch(local: WorkMailLocal) -> None:
    local.send(INBOUND)
    assert _sum(local, "RepliesDefault", "Marked") >= 1
    assert _sum(local, "EditsMade", "Marked") >= 1
    assert _sum(local, "ColdStarts", "Marked") >= 1


def _sum(local: WorkMailLocal, metric: str, rule: str) -> float:
    """Return the sum of a rule's metric, which reaches CloudWatch a moment after the mail."""
    functions = [name for name in _functions(local) if rule in name]
    cloudwatch = local.client("cloudwatch")
    now = datetime.now(UTC)
    for _ in range(100):
        found = cloudwatch.get_metric_statistics(
            Namespace="WorkMailRules",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": functions[0]}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        if found:
            return sum(each["Sum"] for each in found)
        time.sleep(0.1)
    raise AssertionError(f"no metric {metric} of {functions}")


def _functions(local: WorkMailLocal) -> list[str]:
    return [each["FunctionName"] for each in local.client("lambda").list_functions()["Functions"]]


@pytest.mark.fact("C2", "T4", "W4")
def test_failed_events_are_sent_again_and_the_mail_was_delivered_meanwhile(
    local: WorkMailLocal, run: Callable[..., Result]
) -> None:
    local.add_fault("function-error", rule="Journaled", times=3)
    sent = local.send(OUTBOUND, direction="outbound")
    assert not sent.succeeded
    assert sent.actions == {"carol@example.net": "DEFAULT"}
    dry = json.loads(run("redrive", STACK, "--dry-run", "--json").stdout)
    (event,) = dry["events"]
    assert (event["messageId"], event["content"], event["result"]) == (sent.events[0]["messageId"], "readable", None)
    shown = run("redrive", STACK, "--dry-run")
    assert "carol@example.net" not in shown.stdout + shown.stderr
    run("redrive", STACK, "--yes")
    again = local.wait(sent.id)
    assert again.succeeded
    assert [attempt["outcome"] for attempt in again.attempts] == ["function-error"] * 3 + ["replied"]
    assert json.loads(run("redrive", STACK, "--dry-run", "--json").stdout)["events"] == []


@pytest.mark.fact("W5")
def test_bounces_are_events_of_their_own(local: WorkMailLocal) -> None:
    local.add_fault("mailbox-full", times=1)
    before = len(entries(local))
    assert local.send(INBOUND).actions == {"alice@example.com": "BOUNCE"}
    names = [entry["event"]["eventName"] for entry in entries(local)[before:]]
    assert names == ["ORGANIZATION_EMAIL_RECEIVED", "RULE_APPLIED", "INCOMING_EMAIL_BOUNCED"]
