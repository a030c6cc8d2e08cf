"""`workmail-flow rules observed` against CloudWatch Logs, as a user runs it."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner, Result

from tests.cli.test_rules import cdk_out, organization
from tests.unit.flow.rule_files import entry
from tests.unit.flow.test_observed import ME, YOU, applied, received
from workmail_constructs.cli import observed
from workmail_constructs.cli.app import app
from workmail_constructs.watching import event_log
from workmail_constructs.watching.event_log import FILTER_PATTERN, EventLog
from workmail_flow.observed import EVENTS_READ, FindingCode, NotJudged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workmail_flow.email_events import EmailEvent

PAGE = Path(__file__).resolve().parents[2] / "docs/rules.md"
GROUP = "/aws/workmail/emailevents/acme"
HERE = ("--log-group", GROUP, "--region", "eu-west-1")
AN_HOUR_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
OTHER_BATCH = timedelta(minutes=2)

DROP = entry("DROP", "spam.test")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["rules", "observed", *(str(argument) for argument in arguments)])


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """A CloudWatch Logs with WorkMail's log group, and every call that is made."""
    made: list[tuple[str, dict[str, Any]]] = []
    with mock_aws():
        boto3.client("logs", "eu-west-1").create_log_group(logGroupName=GROUP)
        call = BaseClient._make_api_call

        def noted(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
            made.append((operation, arguments))
            return call(client, operation, arguments)

        monkeypatch.setattr(BaseClient, "_make_api_call", noted)
        yield made


def write(*entries: EmailEvent | str, at: datetime = AN_HOUR_AGO, stream: str = "s") -> None:
    """Write entries a second apart, as one log stream."""
    logs = boto3.client("logs", "eu-west-1")
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    begin = int(at.timestamp() * 1000)
    lines = [
        {"timestamp": begin + number * 1_000, "message": one if isinstance(one, str) else one.to_text()}
        for number, one in enumerate(entries)
    ]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=lines)


@pytest.fixture
def rule_file(tmp_path: Path) -> Callable[..., Path]:
    def write_file(*entries: object) -> Path:
        file = tmp_path / "rules.json"
        file.write_text(json.dumps({"rules": entries}), encoding="utf-8")
        return file

    return write_file


def shown(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@pytest.mark.fact("W3", "W4")
def test_a_log_that_agrees_passes_strict(rule_file: Callable[..., Path]) -> None:
    write(received(), applied("DROP"))
    result = run(rule_file(DROP), *HERE, "--strict")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "0 findings, 0 rules without mail; 1 messages and 1 recipients compared, read from "
    )
    assert "Not judged" not in result.stdout
    assert "What the log does not tell:\n  the log names the action that was taken, and not why" in result.stdout
    assert result.stderr == ""


NOT_DECLARED = (
    "The inbound rule 'drop' (INBOUND_RULE) was applied and is not declared; "
    "it differs from 'DROP' in case, spaces or punctuation only."
)


@pytest.mark.fact("W4")
def test_findings_are_shown_and_fail_only_if_strict(rule_file: Callable[..., Path]) -> None:
    write(received(), applied("drop", "DROP"), received(trace="u"), applied("drop", "DROP", trace="u"))
    file = rule_file(DROP, entry("DEFAULT", "news.test"))
    result = run(file, *HERE)
    assert result.exit_code == 0
    first, second, last = AN_HOUR_AGO, AN_HOUR_AGO + timedelta(seconds=2), AN_HOUR_AGO + timedelta(seconds=3)
    assert result.stdout.splitlines()[:15] == [
        "never-applied",
        "  The inbound rule 'DROP' was never applied, though mail came for it.",
        f"  2 times, {shown(first)} to {shown(second)}; for example trace t",
        "  Create the rule in the console, or correct its name or patterns there.",
        "not-declared",
        f"  {NOT_DECLARED}",
        f"  2 times, {shown(first + timedelta(seconds=1))} to {shown(last)}; for example trace t",
        "  Correct the name in the console, or in the declaration.",
        "other-rule-decided",
        "  The inbound rule 'DROP' should have decided, and 'drop' did.",
        f"  2 times, {shown(first)} to {shown(second)}; for example trace t",
        "  Compare the patterns and actions of both rules with the console.",
        "never-seen",
        "  The inbound rule 'DEFAULT' was never applied, and of the mail that could be judged none was for it.",
        "  Nothing shows whether the rule exists; send it a message, or read a longer time.",
    ]
    assert run(file, *HERE, "--strict").exit_code == 1


def test_a_rule_that_no_mail_came_for_does_not_fail(rule_file: Callable[..., Path]) -> None:
    result = run(rule_file(DROP), *HERE, "--strict")
    assert result.exit_code == 0
    assert result.stdout.startswith("never-seen\n")


def test_addresses_and_subjects_are_shown_only_if_asked_for(rule_file: Callable[..., Path]) -> None:
    write(received(sender="assistant@spam.test"))
    file = rule_file(DROP)
    for option in ((), ("--json",)):
        plain = run(file, *HERE, *option)
        assert not re.search(r"@|secret", plain.stdout)
    asked = run(file, *HERE, "--show-addresses").stdout
    assert "    Sender assistant@spam.test\n    From a@spam.test\n    recipient me@own.test\n" in asked
    as_json = run(file, *HERE, "--show-addresses", "--json").stdout
    addresses = {"sender": "assistant@spam.test", "from": "a@spam.test", "recipient": ME}
    assert json.loads(as_json)["findings"][0]["addresses"] == addresses
    assert "secret" not in asked + as_json


def test_what_the_log_says_never_steers_the_terminal(rule_file: Callable[..., Path]) -> None:
    write(applied("\x1b[2J\u202e", "\x1b[2J", trace="\x1b]0;x"), "\x1b[2J")
    output = run(rule_file(DROP), *HERE).stdout
    assert "\x1b" not in output
    assert "\u202e" not in output


def test_json_has_everything_and_nothing_else_is_printed(rule_file: Callable[..., Path]) -> None:
    write(
        received(ME, YOU), applied("Mine", "SHRED", "DROP"), "START RequestId: 1", applied("DROP", "SHRED", trace="u")
    )
    until = AN_HOUR_AGO + timedelta(minutes=30)
    result = run(rule_file(DROP), *HERE, "--since", shown(AN_HOUR_AGO), "--until", shown(until), "--json", "--strict")
    assert (result.exit_code, result.stderr) == (1, "")
    answer = json.loads(result.stdout)
    assert {key: answer[key] for key in answer if key not in {"findings", "notJudged", "notTold"}} == {
        "since": shown(AN_HOUR_AGO),
        "until": shown(until),
        "readUntil": shown(until),
        "partial": False,
        "calls": 1,
        "entries": 4,
        "otherEntries": 1,
        "messages": 1,
        "recipients": 2,
        "rules": [{"rule": "DROP", "direction": "inbound", "applied": 1}],
        "unknownActions": {"SHRED": 1},
        "organization": "(not known: a rule file names none)",
        "logGroup": GROUP,
    }
    assert [finding["code"] for finding in answer["findings"]] == [
        "not-declared",
        "other-rule-decided",
        "no-rule-decided",
    ]
    assert answer["findings"][1] == {
        "code": "other-rule-decided",
        "problem": True,
        "rule": "DROP",
        "direction": "inbound",
        "other": "Mine",
        "action": None,
        "message": "The inbound rule 'DROP' should have decided, and 'Mine' did.",
        "remedy": "Compare the patterns and actions of both rules with the console.",
        "count": 1,
        "first": shown(AN_HOUR_AGO),
        "last": shown(AN_HOUR_AGO),
        "trace": "t",
    }
    assert [(one["reason"], one["count"], one["trace"]) for one in answer["notJudged"]] == [
        ("no-message-entry", 1, "u"),
        ("unknown-action", 1, "u"),
    ]
    assert len(answer["notTold"]) == 3


def test_what_is_not_judged_is_said(rule_file: Callable[..., Path]) -> None:
    write(applied("DROP", "SHRED"), "START RequestId: 1")
    output = run(rule_file(DROP), *HERE).stdout
    assert (
        "Not judged:\n"
        "  1 messages whose own entry is not in what was read, so who wrote to whom is not known; for example trace t\n"
        "  1 actions whose word is not known (W4); for example trace t\n"
        "    action 'SHRED': 1\n"
        "  1 entries that are none of WorkMail's\n"
    ) in output


# Reading


def test_a_log_of_several_pages_and_streams_is_read_to_its_end(
    rule_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    monkeypatch.setattr(event_log, "PAGE_ENTRIES", 2)
    write(*(received(trace=f"t{number}") for number in range(5)))
    write(*(applied("DROP", trace=f"t{number}") for number in range(5)), stream="other")
    result = run(rule_file(DROP), *HERE, "--strict")
    assert result.exit_code == 0, result.output
    assert "5 messages and 5 recipients compared" in result.stdout
    assert "(5 calls, 10 entries)" in result.stdout
    asked = [arguments for operation, arguments in calls if operation == "FilterLogEvents"]
    assert [bool(arguments.get("nextToken")) for arguments in asked] == [False, True, True, True, True]


def test_streams_are_read_side_by_side(rule_file: Callable[..., Path]) -> None:
    morning = AN_HOUR_AGO - timedelta(hours=7)
    write(received(trace="1"), at=morning, stream="a")
    boto3.client("logs", "eu-west-1").put_log_events(
        logGroupName=GROUP,
        logStreamName="a",
        logEvents=[{"timestamp": int(AN_HOUR_AGO.timestamp() * 1000), "message": received(trace="2").to_text()}],
    )
    write(applied("DROP", trace="1"), at=morning, stream="b")
    write(applied("DROP", trace="2"), stream="c")
    assert run(rule_file(DROP), *HERE).stdout.startswith(
        "0 findings, 0 rules without mail; 2 messages and 2 recipients"
    )


def test_only_the_entries_that_are_needed_are_asked_for() -> None:
    assert re.findall(r'\$\.event\.eventName = "(\w+)"', FILTER_PATTERN) == [*EVENTS_READ]
    assert len(FILTER_PATTERN) <= 1024  # FilterLogEvents takes no longer one


def test_a_read_that_is_cut_off_says_until_when_it_knows(
    rule_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "PAGE_ENTRIES", 2)
    write(received(trace="1"), applied("DROP", trace="1"), received(trace="2"), received(trace="3"))
    write(received(trace="4"), at=AN_HOUR_AGO + timedelta(minutes=20), stream="later")
    file = rule_file(DROP)
    result = run(file, *HERE, "--max-calls", "2")
    stopped = shown(AN_HOUR_AGO + timedelta(seconds=3))
    assert result.exit_code == 0
    assert f"PARTIAL: --max-calls ended the read; nothing is known of {stopped} to " in result.stdout
    assert f"Go on with --since {stopped}" in result.stdout
    # The entries of what was read last may come right after it.
    assert "  2 recipients without a rule whose rule may still write its entry" in result.stdout
    answer = json.loads(run(file, *HERE, "--max-calls", "2", "--json").stdout)
    assert (answer["partial"], answer["readUntil"], answer["calls"]) == (True, stopped, 2)
    assert run(file, *HERE, "--max-calls", "2", "--strict").exit_code == 1
    assert "PARTIAL" not in run(file, *HERE, "--max-calls", "3").stdout


def test_empty_pages_do_not_end_the_read() -> None:
    log = EventLog(GROUP, region="eu-west-1")
    pages = iter([{"events": [], "nextToken": "1"}, {"events": [{"message": "é", "timestamp": 5}]}])
    log._logs = type("Logs", (), {"filter_log_events": lambda self, **_: next(pages)})()
    begin, end = datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(1, UTC)
    assert list(log.read(begin, end, max_calls=5)) == [("é", 5)]
    assert (log.calls, log.entries, log.size_bytes, log.read_until, log.is_partial) == (2, 1, 2, end, False)


def test_a_window_leaves_out_what_is_before_and_after(rule_file: Callable[..., Path]) -> None:
    for hour in range(3):
        write(received(trace=str(hour)), at=AN_HOUR_AGO - timedelta(hours=hour), stream=str(hour))
    file = rule_file(DROP)
    assert "3 messages" in run(file, *HERE).stdout
    assert "2 messages" in run(file, *HERE, "--since", "150m").stdout
    assert "1 messages" in run(file, *HERE, "--since", "150m", "--until", shown(AN_HOUR_AGO - OTHER_BATCH)).stdout


class _BusyLogs(BaseHTTPRequestHandler):
    """A CloudWatch Logs that refuses twice and then has one entry."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        requests = self.server.requests  # type: ignore[attr-defined]
        requests.append(self.headers["X-Amz-Target"])
        entries = [{"timestamp": int(AN_HOUR_AGO.timestamp() * 1000), "message": received().to_text()}]
        refused = len(requests) < 3
        body = {"__type": "ThrottlingException", "message": "Rate exceeded"} if refused else {"events": entries}
        self.send_response(400 if refused else 200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def test_throttling_is_waited_out_at_whatever_endpoint(
    rule_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), _BusyLogs) as server:
        server.requests = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        result = run(rule_file(DROP), *HERE)
        server.shutdown()
    assert server.requests == ["Logs_20140328.FilterLogEvents"] * 3, result.output  # type: ignore[attr-defined]
    assert "1 messages" in result.stdout


# Errors


def test_a_log_group_that_does_not_exist_is_reported_with_those_that_do(rule_file: Callable[..., Path]) -> None:
    for option in ((), ("--dry-run",)):
        result = run(rule_file(DROP), "--log-group", "/aws/workmail/emailevents/acne", "--region", "eu-west-1", *option)
        assert result.exit_code == 1
        assert result.stderr.startswith(
            "log group /aws/workmail/emailevents/acne: not found in eu-west-1; WorkMail's in this Region: "
            f"{GROUP}. Event logging is off at first: turn it on in the WorkMail console"
        )
    elsewhere = run(rule_file(DROP), "--log-group", GROUP, "--region", "us-east-1")
    assert "not found in us-east-1; none of WorkMail's is in this Region" in elsewhere.stderr


@pytest.mark.parametrize(
    ("operation", "option", "action"),
    [("FilterLogEvents", (), "logs:FilterLogEvents"), ("DescribeLogGroups", ("--dry-run",), "logs:DescribeLogGroups")],
)
def test_a_missing_permission_is_named(
    rule_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, operation: str, option: tuple[str], action: str
) -> None:
    refuse(monkeypatch, operation)
    result = run(rule_file(DROP), *HERE, *option)
    assert result.exit_code == 1
    assert f"log group {GROUP}: no permission; {action} on the log group is needed" in result.stderr


def refuse(monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    call = BaseClient._make_api_call

    def refusing(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == refused:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
        return call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", refusing)


def test_a_missing_region_and_an_unknown_profile_are_reported(rule_file: Callable[..., Path]) -> None:
    result = run(rule_file(DROP), "--log-group", GROUP)
    assert (result.exit_code, result.stderr) == (1, "no Region is known; give --region, or set AWS_REGION\n")
    result = run(rule_file(DROP), *HERE, "--profile", "nobody")
    assert (result.exit_code, result.stderr) == (1, "The config profile (nobody) could not be found\n")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--since", "yesterday"), "found 'yesterday'; allowed are 30m, 12h, 7d"),
        (("--since", "999999d"), "found '999999d'"),
        (("--since", "0001-01-01T00:00:00+10:00"), "found '0001-01-01"),
        (("--since", "1969-01-01"), "no event logs of that time"),
        (("--since", "1h", "--until", "2h"), "which is not before"),
        (("--until", "soon"), "--until: found 'soon'"),
        (("--max-calls", "0"), "should be greater than or equal to 1"),
    ],
)
def test_wrong_options_are_a_wrong_command(
    rule_file: Callable[..., Path], options: tuple[str, ...], complaint: str
) -> None:
    result = run(rule_file(DROP), *HERE, *options)
    assert result.exit_code == 2
    words = " ".join(result.stderr.replace("│", " ").split())
    assert complaint in words


def test_a_time_without_a_zone_is_utc() -> None:
    now = datetime(2026, 6, 8, tzinfo=UTC)
    for text in ("2026-06-01", "2026-06-01T00:00", "2026-06-01T02:00+02:00", "7d", "168h", "10080m"):
        assert observed._time(text, now, option="--since") == datetime(2026, 6, 1, tzinfo=UTC)


def test_the_rules_of_one_organization_are_needed(tmp_path: Path) -> None:
    folder = cdk_out(tmp_path / "cdk.out", organization(1, DROP), organization(2, DROP))
    assert run(folder, *HERE).exit_code == 2
    write(received(), applied("DROP"))
    result = run(folder, *HERE, "--organization", f"m-{2:032x}", "--json")
    assert json.loads(result.stdout)["organization"] == f"m-{2:032x}"


# What it would cost


def put_metric(size: int, at: datetime) -> None:
    boto3.client("cloudwatch", "eu-west-1").put_metric_data(
        Namespace="AWS/Logs",
        MetricData=[
            {
                "MetricName": "IncomingBytes",
                "Dimensions": [{"Name": "LogGroupName", "Value": GROUP}],
                "Timestamp": at,
                "Value": size,
                "Unit": "Bytes",
            }
        ],
    )


def test_a_dry_run_reads_nothing_and_sums_the_metric(
    rule_file: Callable[..., Path], calls: list[tuple[str, dict[str, Any]]]
) -> None:
    put_metric(2_000_000, AN_HOUR_AGO)
    put_metric(1_500_000, AN_HOUR_AGO - timedelta(days=1))
    put_metric(9_000_000, AN_HOUR_AGO - timedelta(days=8))
    calls.clear()
    result = run(rule_file(DROP), *HERE, "--dry-run", "--strict")
    assert result.exit_code == 0
    assert "received about 3.5 MB (the metric IncomingBytes of the log group in this time)" in result.stdout
    assert "about 4 calls of FilterLogEvents; --max-calls allows 1000." in result.stdout
    assert {operation for operation, _ in calls} == {"DescribeLogGroups", "GetMetricStatistics"}
    short = run(rule_file(DROP), *HERE, "--dry-run", "--max-calls", "3").stdout
    assert "That is more than allowed" in short
    answer = json.loads(run(rule_file(DROP), *HERE, "--dry-run", "--json", "--since", "12h").stdout)
    assert (answer["estimatedBytes"], answer["estimatedCalls"], answer["maxCalls"]) == (2_000_000, 2, 1000)


@pytest.mark.parametrize(("since", "values"), [("30m", 7), ("4d", 1_153), ("60d", 1_441), ("2000d", 2_001)])
def test_the_metric_is_asked_for_in_one_answer(
    rule_file: Callable[..., Path], calls: list[tuple[str, dict[str, Any]]], since: str, values: int
) -> None:
    run(rule_file(DROP), *HERE, "--dry-run", "--since", since)
    (asked,) = (arguments for operation, arguments in calls if operation == "GetMetricStatistics")
    assert (asked["EndTime"] - asked["StartTime"]).total_seconds() / asked["Period"] <= values
    assert asked["StartTime"].timestamp() % asked["Period"] == 0


@pytest.mark.parametrize("is_refused", [False, True])
def test_without_the_metric_the_stored_bytes_are_spread_over_the_age(
    rule_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, is_refused: bool
) -> None:
    if is_refused:
        refuse(monkeypatch, "GetMetricStatistics")
    day_ms = 86_400_000
    created = int(datetime.now(UTC).timestamp() * 1000) - 100 * day_ms
    group = {"logGroupName": GROUP, "creationTime": created, "storedBytes": 90_000_000, "retentionInDays": 30}
    monkeypatch.setattr(EventLog, "_describe", lambda _: group)
    why = "the metric IncomingBytes " + ("could not be read: AccessDeniedException" if is_refused else "has no data")
    week = run(rule_file(DROP), *HERE, "--dry-run").stdout
    assert f"about 21.0 MB (the log group's storedBytes, spread evenly over its age; {why})" in week
    # Retention has deleted all that is older.
    assert "about 90.0 MB" in run(rule_file(DROP), *HERE, "--dry-run", "--since", "60d").stdout
    assert "about 0.0 MB" in run(rule_file(DROP), *HERE, "--dry-run", "--since", "60d", "--until", "31d").stdout


def test_a_terminal_sees_how_far_the_log_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    write(received(), applied("DROP"))
    log = EventLog(GROUP, region="eu-west-1")
    begin, end = AN_HOUR_AGO - timedelta(hours=1), datetime.now(UTC)
    with observed._progress(log, begin, end) as on_page:
        assert len(list(log.read(begin, end, max_calls=5, on_page=on_page))) == 2
    assert "1 calls, 2 entries, 0.0 MB" in terminal.getvalue()


# The page


def test_the_page_explains_each_finding_and_what_is_not_judged() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("### observed")[2].partition("\n### ")[0]
    documented = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert documented == [*FindingCode, *NotJudged]
    policy = json.loads(re.findall(r"```json\n(.+?)```", section, re.DOTALL)[0])
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert allowed == {"logs:FilterLogEvents", "logs:DescribeLogGroups", "cloudwatch:GetMetricStatistics"}
