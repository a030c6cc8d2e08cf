"""What an order of steps means: decisions, edits, failures, counts and the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.rules.running import RAW, conversation_of, inbound, outbound, printed, step
from workmail_flow.step_log import STEPS_KEY
from workmail_rules import StepError
from workmail_rules.condition import Condition
from workmail_rules.conversation import Conversation
from workmail_rules.run_steps import run_steps
from workmail_rules.step_errors import BusyError
from workmail_runtime.content import MessageContent, Update, UpdateOutcome
from workmail_runtime.content_errors import AccessDeniedError, MessageFrozenError, MessageRejectedError
from workmail_runtime.event import AsynchronousEvent, SynchronousEvent

if TYPE_CHECKING:
    from workmail_rules import Message

EVERYBODY = "everybody"


def banner(message: Message) -> None:
    message.editor.add_banner("From outside")


def prefix(message: Message) -> None:
    message.editor.prefix_subject("[EXT]")


def bounce(message: Message) -> None:
    message.bounce("No.")


def actions(conversation: Conversation, *steps: Any) -> dict[str, str]:
    """Run the steps; return the reply's actions by recipient."""
    reply = run_steps(conversation, steps).to_dict()
    return {
        name: entry["action"]["type"]
        for entry in reply["actions"]
        for name in (*entry.get("recipients", ()), *([EVERYBODY] if entry.get("allRecipients") else ()))
    }


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Record what is put, as if WorkMail took it."""
    taken: list[bytes] = []

    def put(_: MessageContent, content: Any, **__: object) -> Update:
        taken.append(bytes(content.to_bytes()))
        return Update(UpdateOutcome.UPDATED)

    monkeypatch.setattr(MessageContent, "put", put)
    return taken


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Refuse every put with the last error of the list."""
    errors: list[Exception] = [MessageFrozenError("MessageFrozen", "", status=400, request_id=None)]

    def put(*_: object, **__: object) -> Update:
        raise errors[-1]

    monkeypatch.setattr(MessageContent, "put", put)
    return errors


def test_a_bounced_recipient_is_gone_for_later_steps_and_the_others_are_left() -> None:
    seen: list[tuple[str, ...]] = []
    first = step(bounce, condition=Condition(recipients={"addresses": ["a@example.com"]}))
    second = step(lambda message: seen.append(message.recipients), name="second")
    found = actions(conversation_of(inbound("a@example.com", "b@example.com", "c@example.com")), first, second)
    assert seen == [("b@example.com", "c@example.com")]
    assert found == {"a@example.com": "BOUNCE", EVERYBODY: "DEFAULT"}


def test_nothing_runs_once_nobody_is_left(puts: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []
    steps = step(banner), step(bounce), step(lambda _: ran.append("late"), name="late")
    found = actions(conversation_of(inbound("a@example.com")), *steps)
    (log,) = (line for line in printed(capsys) if STEPS_KEY in line)
    assert (ran, puts, found) == ([], [], {EVERYBODY: "BOUNCE"})
    assert [(each["step"], each["result"]) for each in log[STEPS_KEY]] == [
        ("banner", "DONE"),
        ("bounce", "DONE"),
        ("late", "NOBODY_LEFT"),
    ]


@pytest.mark.fact("R2")
def test_of_other_actions_the_last_one_counts() -> None:
    steps = step(lambda m: m.move_to_junk(), name="junk"), step(lambda m: m.bypass_spam_check(), name="bypass")
    assert actions(conversation_of(inbound("a@example.com")), *steps) == {EVERYBODY: "BYPASS_SPAM_CHECK"}
    steps = step(lambda m: m.move_to_junk(), name="junk"), step(lambda m: m.deliver(), name="deliver")
    assert actions(conversation_of(inbound("a@example.com")), *steps) == {EVERYBODY: "DEFAULT"}


def test_the_edits_of_all_steps_are_put_once(puts: list[bytes]) -> None:
    actions(conversation_of(inbound("a@example.com")), step(banner), step(prefix))
    (put,) = puts
    assert b"Subject: [EXT] Agenda" in put
    assert b"From outside" in put


def test_a_message_that_no_step_changed_is_not_put(puts: list[bytes]) -> None:
    look = step(lambda message: message.editor.add_header("Subject", "Agenda"), name="look", must=True)
    actions(conversation_of(inbound("a@example.com")), look)
    assert puts == []


def test_an_edited_message_is_put_for_a_copy_alone(puts: list[bytes]) -> None:
    copy = step(lambda message: message.copy_to(["audit@example.com"]), name="copy")
    found = actions(conversation_of(inbound("a@example.com")), step(banner), copy, step(bounce))
    assert found == {EVERYBODY: "BOUNCE", "audit@example.com": "DEFAULT"}
    assert len(puts) == 1


@pytest.mark.usefixtures("in_lambda")
def test_a_step_that_fails_and_goes_on_leaves_no_edit_and_no_decision(
    puts: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    def half(message: Message) -> None:
        message.editor.prefix_subject("[HALF]")
        message.editor.add_footer("half")
        message.move_to_junk()
        message.copy_to(["audit@example.com"])
        raise StepError("the other half failed")

    found = actions(conversation_of(inbound("a@example.com")), step(banner), step(half), step(prefix))
    (put,) = puts
    lines = printed(capsys)
    assert found == {EVERYBODY: "DEFAULT"}
    assert (b"[HALF]" in put, b"half" in put, b"From outside" in put, b"[EXT] Agenda" in put) == (
        False,
        False,
        True,
        True,
    )
    assert {line["Step"]: line["Failed"] for line in lines if "Failed" in line} == {"half": 1}


def test_edits_of_a_failed_step_alone_are_not_put(puts: list[bytes]) -> None:
    def half(message: Message) -> None:
        banner(message)
        raise StepError("no")

    actions(conversation_of(inbound("a@example.com")), step(half))
    assert puts == []


def test_a_step_that_must_not_fail_fails_the_invocation_before_the_put(puts: list[bytes]) -> None:
    def save(_: Message) -> None:
        raise StepError("the bucket is gone")

    with pytest.raises(StepError, match="the bucket is gone"):
        actions(conversation_of(inbound("a@example.com")), step(banner), step(save, must=True))
    assert puts == []


@pytest.mark.usefixtures("in_lambda")
@pytest.mark.fact("C7", "C8")
def test_a_refused_put_is_a_failure_of_each_step_that_edited(
    refusal: list[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    looks = step(lambda message: message.parsed.subject, name="looks", must=True)
    found = actions(conversation_of(inbound("a@example.com")), looks, step(banner), step(prefix))
    counted = {line["Step"]: line["Failed"] for line in printed(capsys) if "Failed" in line}
    assert (found, counted) == ({EVERYBODY: "DEFAULT"}, {"banner": 1, "prefix": 1})
    refusal.append(MessageRejectedError("MessageRejected", "no", status=400, request_id=None))
    with pytest.raises(MessageRejectedError):
        actions(conversation_of(inbound("a@example.com")), step(banner, must=True), step(prefix))


def test_a_put_that_cannot_be_done_lets_mail_go_on_as_well(refusal: list[Exception]) -> None:
    refusal.append(AccessDeniedError("AccessDenied", "no", status=403, request_id=None))
    assert actions(conversation_of(inbound("a@example.com")), step(banner)) == {EVERYBODY: "DEFAULT"}


def test_another_attempt_at_work_fails_the_invocation_whatever_the_step_says() -> None:
    def busy(_: Message) -> None:
        raise BusyError("another attempt does it")

    with pytest.raises(BusyError):
        actions(conversation_of(inbound("a@example.com")), step(busy))


def test_neither_log_nor_error_holds_what_others_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    def leak(message: Message) -> None:
        message.note("alice@example.com got\nit")
        raise ValueError("secret words of carol@example.net")

    with pytest.raises(StepError) as raised:
        actions(conversation_of(inbound("alice@example.com", subject="Hush")), step(leak, must=True))
    out = capsys.readouterr().out
    assert str(raised.value).startswith("leak: ValueError at test_run_steps.py:")
    assert json.loads(out.splitlines()[0])[STEPS_KEY][0]["notes"][0] == "(address) got it"
    assert [word for word in ("@", "secret", "Hush") if word in out + str(raised.value)] == []


@pytest.mark.usefixtures("in_lambda")
def test_counts_of_a_failed_invocation_are_left_to_the_retry(capsys: pytest.CaptureFixture[str]) -> None:
    def count(message: Message) -> None:
        message.count("Seen")

    def fail(message: Message) -> None:
        message.count("Tried")
        raise StepError("no")

    conversation = conversation_of(inbound("a@example.com"))
    with pytest.raises(StepError):
        actions(conversation, step(count), step(fail, must=True))
    failed = [(line["Step"], line.get("Failed"), "Tried" in line) for line in printed(capsys) if "_aws" in line]
    assert failed == [("fail", 1, False)]
    actions(conversation_of(inbound("a@example.com")), step(count))
    (counted,) = (line for line in printed(capsys) if "_aws" in line)
    assert (counted["Step"], counted["Seen"]) == ("count", 1)


@pytest.mark.fact("E6")
def test_the_rest_of_a_truncated_event_gets_what_steps_for_all_decide() -> None:
    event = inbound("a@example.com", truncated=True)
    for_a = step(bounce, condition=Condition(recipients={"addresses": ["a@example.com"]}))
    junk = step(lambda message: message.move_to_junk(), name="junk")
    found = actions(conversation_of(event), for_a, junk)
    assert found == {"a@example.com": "BOUNCE", EVERYBODY: "MOVE_TO_JUNK"}


@pytest.mark.fact("E2")
def test_an_older_edition_is_answered_in_the_direction_of_the_rule() -> None:
    envelope = {"mailFrom": {"address": "c@example.net"}, "recipients": [{"address": "a@example.com"}]}
    event = SynchronousEvent.parse({"envelope": envelope, "sender": {"address": ""}, "subject": "x"})
    found = actions(conversation_of(event), step(banner, edits=True), step(bounce))
    assert found == {EVERYBODY: "BOUNCE"}


@pytest.mark.usefixtures("in_lambda")
@pytest.mark.fact("C4", "R10")
def test_an_asynchronous_rule_looks_and_neither_decides_nor_edits(
    puts: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    event = AsynchronousEvent.parse(inbound("a@example.com").raw)
    seen: list[str | None] = []
    conversation = Conversation(event, content=MessageContent(event, RAW))
    looks = step(lambda message: seen.append(message.parsed.subject), name="looks", edits=False)
    run_steps(conversation, [looks, step(banner, edits=False), step(bounce)])
    lines = printed(capsys)
    assert (seen, puts) == (["Agenda"], [])
    assert [line["Step"] for line in lines if "Failed" in line] == ["banner", "bounce"]


@pytest.mark.fact("R2", "R3", "R9")
@pytest.mark.parametrize(
    "decide",
    [
        lambda message: message.move_to_junk(),
        lambda message: message.decide("DELETE"),
        lambda message: message.decide("BOUNCE"),
        lambda message: message.decide("DROP", text="why"),
        lambda message: message.bounce(" "),
        lambda message: message.bounce("x" * 1001),
        lambda message: message.bounce("\ud800"),
        lambda message: message.bounce("no", ["other@example.com"]),
        lambda message: message.copy_to(["not an address"]),
        lambda message: message.copy_to([f"{index}@example.com" for index in range(500)]),
    ],
)
def test_what_no_reply_can_hold_is_the_steps_failure(decide: Any) -> None:
    found: list[Exception] = []

    def run(message: Message) -> None:
        try:
            decide(message)
        except StepError as error:
            found.append(error)
            raise

    assert actions(conversation_of(outbound("a@example.org")), step(run)) == {EVERYBODY: "DEFAULT"}
    assert len(found) == 1


def test_a_step_decides_only_for_recipients_that_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    only_a = Condition(recipients={"addresses": ["a@example.com"]})
    greedy = step(lambda message: message.drop(["b@example.com"]), name="greedy", condition=only_a)
    found = actions(conversation_of(inbound("a@example.com", "b@example.com")), greedy)
    assert found == {EVERYBODY: "DEFAULT"}
    assert "found 1 addresses that the step is not for" in capsys.readouterr().out
