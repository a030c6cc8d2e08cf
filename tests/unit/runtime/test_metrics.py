"""What a handler counts, as CloudWatch reads it from the log."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.conftest import Answer, StubAws
from tests.unit.runtime.load_event import load_event
from workmail_flow import metrics
from workmail_flow.metrics import EDITS_REFUSED_AS, METRICS_NAMESPACE, METRICS_OFF, METRICS_VARIABLE, REPLIES
from workmail_flow.vocabulary import ReplyAction
from workmail_rules.metrics import Metrics
from workmail_runtime import EventError, ReplyError, asynchronous, synchronous
from workmail_runtime.content import MessageContent
from workmail_runtime.content_errors import MessageFrozenError, MessageRejectedError, ServiceError, UpdateRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_runtime import SynchronousEvent

CONTEXT: Any = SimpleNamespace(aws_request_id="attempt", get_remaining_time_in_millis=lambda: 13_250)
MAIL = b"From: alice@partner.example\r\nSubject: Secret merger\r\n\r\nHello\r\n"

HANDLERS_PAGE = Path(__file__).parents[3] / "docs" / "handlers.md"
# What the module names beside the metrics of a function: what all have in common, and the metrics of single steps.
OTHER_NAMES = {
    *(
        "TYPE_CHECKING",
        "METRICS_NAMESPACE",
        "METRICS_VARIABLE",
        "METRICS_OFF",
        "FUNCTION_DIMENSIONS",
        "STEP_DIMENSIONS",
    ),
    *("FAILED", "LIMITED"),
}

default = synchronous(lambda event: event.reply.default_for_all())


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the counts of the one line that was printed, or nothing if none was."""
    lines = capsys.readouterr().out.splitlines()
    if not lines:
        return {}
    (line,) = map(json.loads, lines)
    (definition,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: line[metric["Name"]] for metric in definition["Metrics"]}


def test_the_line_of_an_invocation(in_lambda: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = time.time() * 1000 - 1
    default(load_event("inbound"), CONTEXT)
    line = json.loads(capsys.readouterr().out)
    assert before <= line["_aws"].pop("Timestamp") <= time.time() * 1000
    assert line == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": METRICS_NAMESPACE,
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        {"Name": "ColdStarts", "Unit": "Count"},
                        {"Name": "RepliesDefault", "Unit": "Count"},
                        {"Name": "TimeLeft", "Unit": "Milliseconds"},
                    ],
                }
            ]
        },
        "FunctionName": in_lambda,
        "ColdStarts": 1,
        "RepliesDefault": 1,
        "TimeLeft": 13_250,
    }


@pytest.mark.usefixtures("in_lambda")
def test_a_process_starts_cold_once(capsys: pytest.CaptureFixture[str]) -> None:
    asynchronous(lambda _: None)(load_event("inbound"), CONTEXT)
    assert counted(capsys) == {"ColdStarts": 1}
    default(load_event("inbound"))
    assert counted(capsys) == {"RepliesDefault": 1}
    # No time is left over after an answer that no mail waits for, so there is nothing to write.
    asynchronous(lambda _: None)(load_event("inbound"), CONTEXT)
    assert counted(capsys) == {}


@pytest.mark.fact("R2")
def test_every_action_and_every_refusal_has_a_metric() -> None:
    assert REPLIES.keys() == set(ReplyAction)
    assert EDITS_REFUSED_AS.keys() == {"MessageFrozen", "MessageRejected"}


def test_the_page_lists_the_metrics_of_a_function_and_no_others() -> None:
    section = HANDLERS_PAGE.read_text(encoding="utf-8").partition("\n## Metrics\n")[2]
    rows = re.findall(r"^\| (`.*?) \| (\w+) \|", section, re.MULTILINE)
    listed = [(name, unit) for names, unit in rows for name in re.findall(r"`(\w+)`", names)]
    own = [value for name, value in vars(metrics).items() if name.isupper() and name not in OTHER_NAMES]
    named = [name for value in own for name in ([value] if isinstance(value, str) else value.values())]
    assert sorted(listed) == sorted((name, "Milliseconds" if name == "TimeLeft" else "Count") for name in named)


@pytest.mark.usefixtures("in_lambda")
@pytest.mark.parametrize(
    ("reply", "counts"),
    [
        (lambda reply: reply, {}),
        (lambda reply: reply.drop_for_all(), {"RepliesDrop": 1}),
        (lambda reply: reply.move_to_junk_for_all(), {"RepliesMoveToJunk": 1}),
        (lambda reply: reply.bypass_spam_check_for_all(), {"RepliesBypassSpamCheck": 1}),
        (
            lambda reply: (
                reply.bounce("bob@corp.example", message="No.")
                .bounce("carol@corp.example", message="No, too.")
                .default_for_all()
            ),
            {"RepliesBounce": 1, "RepliesDefault": 1},
        ),
    ],
)
def test_a_reply_counts_once_for_each_of_its_actions(
    reply: Callable[[Any], Any], counts: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    people = [{"address": f"{name}@corp.example"} for name in ("bob", "carol", "dan")]
    event = load_event("inbound", envelope={"mailFrom": {"address": "eve@partner.example"}, "recipients": people})
    synchronous(lambda event: reply(event.reply))(event)
    assert counted(capsys) == {"ColdStarts": 1, **counts}


@pytest.mark.usefixtures("in_lambda")
@pytest.mark.parametrize(
    ("handler", "event", "error"),
    [
        (default, {}, EventError),
        (asynchronous(lambda _: None), {}, EventError),
        (synchronous(lambda _: {"actions": [{"action": {"type": "KEEP"}}]}), load_event("inbound"), ReplyError),
    ],
)
def test_a_failed_invocation_counts_no_reply_and_no_time(
    handler: Any, event: Any, error: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(error):
        handler(event, CONTEXT)
    assert counted(capsys) == {"ColdStarts": 1}


def put(event: SynchronousEvent, raw: bytes = MAIL + b"World\r\n") -> None:
    with contextlib.suppress(ServiceError, UpdateRefusedError):
        MessageContent(event, MAIL).put(raw)


@pytest.mark.fact("C1", "C7", "C8")
@pytest.mark.usefixtures("in_lambda")
@pytest.mark.parametrize(
    ("answer", "raw", "counts"),
    [
        (Answer(), MAIL + b"World\r\n", {"EditsMade": 1}),
        (Answer(), MAIL, {}),
        (Answer(), MAIL + b"x" * 2_000, {"EditsRefused": 1, "EditsRefusedRejected": 1}),
        ("MessageFrozen", MAIL + b"World\r\n", {"EditsRefused": 1, "EditsRefusedFrozen": 1}),
        ("MessageRejected", MAIL + b"World\r\n", {"EditsRefused": 1, "EditsRefusedRejected": 1}),
        ("AccessDeniedException", MAIL + b"World\r\n", {"EditsFailed": 1}),
        ("InvalidContentLocation", MAIL + b"World\r\n", {"EditsFailed": 1}),
    ],
)
def test_edits(
    answer: Answer | str,
    raw: bytes,
    counts: dict[str, float],
    stub_aws: StubAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages-bucket")
    if isinstance(answer, str):
        answer = Answer(400, b'{"message": "No."}', {"x-amzn-ErrorType": answer})
    stub_aws.answer(Answer(), answer)

    def handle(event: SynchronousEvent) -> Any:
        put(event, raw)
        return event.reply

    synchronous(handle)(load_event("inbound"))
    assert counted(capsys) == {"ColdStarts": 1, **counts}


@pytest.mark.usefixtures("in_lambda")
@pytest.mark.parametrize("decorate", [synchronous, asynchronous])
def test_edits_of_an_invocation_that_fails_are_counted_and_not_counted_again(
    decorate: Any, stub_aws: StubAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKMAIL_MESSAGE_BUCKET", "messages-bucket")
    stub_aws.answer(Answer())

    def handle(event: Any) -> Any:
        # As a synchronous event, whose mail waits: an asynchronous one cannot be edited (C4).
        put(SimpleNamespace(mail_waits=True, message_id="m", invocation_id="i", context=None))  # type: ignore[arg-type]
        raise RuntimeError(event.message_id)

    with pytest.raises(RuntimeError):
        decorate(handle)(load_event("inbound"))
    assert counted(capsys) == {"ColdStarts": 1, "EditsMade": 1}
    default(load_event("inbound"))
    assert counted(capsys) == {"RepliesDefault": 1}


def test_nothing_is_written_outside_lambda(capsys: pytest.CaptureFixture[str]) -> None:
    default(load_event("inbound"), CONTEXT)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("in_lambda")
def test_one_variable_turns_all_lines_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Metrics()
    steps.add("Banner", "Failed", 1)
    monkeypatch.setenv(METRICS_VARIABLE, METRICS_OFF)
    default(load_event("inbound"), CONTEXT)
    steps.write()
    assert capsys.readouterr().out == ""
    monkeypatch.setenv(METRICS_VARIABLE, "on")
    default(load_event("inbound"), CONTEXT)
    steps.write()
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.usefixtures("in_lambda")
def test_a_step_cannot_change_the_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Metrics()
    for name in ("FunctionName", "Step", "Failed"):
        steps.add("Banner", name, 7)
    steps.write()
    line = json.loads(capsys.readouterr().out)
    assert (line["FunctionName"], line["Step"], line["Failed"]) == ("rule-function", "Banner", 7)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName", "Step"]]


# Of letters that no line has otherwise, so that each part of an address, subject or body shows.
secrets = st.text("ÄÖÜßξ☃", min_size=3, max_size=12)
refusals = st.sampled_from(
    [
        None,
        MessageFrozenError,
        MessageRejectedError,
        ServiceError,
    ]
)


@pytest.mark.usefixtures("in_lambda")
@given(
    sender=secrets,
    people=st.lists(secrets, min_size=1, max_size=4, unique=True),
    subject=secrets,
    body=secrets,
    action=st.sampled_from(["default", "drop", "bounce", "fail"]),
    refusal=refusals,
)
def test_no_line_holds_anything_of_the_mail(
    sender: str,
    people: list[str],
    subject: str,
    body: str,
    action: str,
    refusal: type[ServiceError] | None,
) -> None:
    raw = load_event(
        "inbound",
        subject=subject,
        sender={"address": f"{sender}@{sender}.example"},
        envelope={
            "mailFrom": {"address": f"{sender}@{sender}.example"},
            "recipients": [{"address": f"{each}@corp.example"} for each in people],
        },
    )
    mail = f"From: {sender}@{sender}.example\r\nSubject: {subject}\r\n\r\n".encode()

    def replace(*_: object) -> None:
        if refusal is not None:
            raise refusal("MessageFrozen", f"{sender} {subject}", status=400, request_id=None)

    def handle(event: SynchronousEvent) -> Any:
        with contextlib.suppress(ServiceError):
            MessageContent(event, mail).put(mail + body.encode())
        if action == "fail":
            raise ValueError(subject, sender)
        first = event.recipients[0]
        if action == "bounce":
            return event.reply.bounce(first, message=f"{body} {first}").default_for_all()
        return getattr(event.reply, action)(first)

    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        patch.object(MessageContent, "_replace", replace),
        patch.object(MessageContent, "_location", lambda *_: None),
        contextlib.suppress(ValueError),
    ):
        synchronous(handle)(raw, CONTEXT)
    (line,) = printed.getvalue().splitlines()
    assert set(json.loads(line)) <= {"_aws", "FunctionName", *_numbers(line)}
    shown = line + json.dumps(json.loads(line), ensure_ascii=False)
    for secret in (sender, subject, body, *people, "corp.example"):
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown
    assert "@" not in shown
    assert raw["messageId"] not in shown
    assert raw["invocationId"] not in shown


def _numbers(line: str) -> set[str]:
    return {name for name, value in json.loads(line).items() if isinstance(value, int | float)}
