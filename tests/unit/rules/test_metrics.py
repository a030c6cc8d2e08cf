"""What the steps of a rule count, in the line of the invocation and in lines of their own."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.running import conversation_of, inbound, step
from workmail_rules import StepError
from workmail_rules.condition import Condition
from workmail_rules.run_steps import run_steps
from workmail_runtime.content import MessageContent, Update, UpdateOutcome
from workmail_runtime.content_errors import MessageFrozenError
from workmail_runtime.handlers import synchronous_inbound

if TYPE_CHECKING:
    from workmail_rules import Message
    from workmail_rules.run_steps import RuleStep
    from workmail_runtime.event import InboundEvent

A_AND_B = inbound("a@example.com", "b@example.com")


def fail(message: Message) -> None:
    message.count("Seen")
    raise StepError("no")


def count(message: Message) -> None:
    message.count("Seen")


def counts(*steps: RuleStep, event: InboundEvent = A_AND_B) -> dict[str, dict[str, float]]:
    """Run steps in a handler; return what it wrote, by step, with its own counts under ""."""
    printed = io.StringIO()
    handler = synchronous_inbound(lambda parsed: run_steps(conversation_of(parsed), steps))
    with contextlib.redirect_stdout(printed), contextlib.suppress(StepError):
        handler(event.raw)
    lines = [line for line in map(json.loads, printed.getvalue().splitlines()) if "_aws" in line]
    found = {
        line.get("Step", ""): {each["Name"]: line[each["Name"]] for each in definition["Metrics"]}
        for line in lines
        for definition in line["_aws"]["CloudWatchMetrics"]
    }
    assert len(found) == len(lines)
    return found


@pytest.mark.usefixtures("in_lambda")
def test_skipped_and_failed_steps_are_counted_with_the_invocation() -> None:
    elsewhere = Condition(recipients={"addresses": ["c@example.com"]})
    bounce = step(lambda message: message.bounce("No."), name="bounce")
    assert counts(
        step(count, name="elsewhere", condition=elsewhere),
        step(fail),
        step(fail, name="fails as well"),
        bounce,
        step(count, name="late"),
        step(count, name="too late"),
    ) == {
        "": {"ColdStarts": 1, "StepsFailed": 2, "StepsSkipped": 3, "RepliesBounce": 1},
        "fail": {"Seen": 1, "Failed": 1},
        "fails as well": {"Seen": 1, "Failed": 1},
    }


@pytest.mark.usefixtures("in_lambda")
def test_a_failed_invocation_counts_its_failures_and_leaves_the_rest_to_the_retry() -> None:
    elsewhere = Condition(recipients={"addresses": ["c@example.com"]})
    skipped = step(count, name="elsewhere", condition=elsewhere)
    assert counts(skipped, step(count), step(fail, must=True)) == {
        "": {"ColdStarts": 1, "StepsFailed": 1},
        "fail": {"Failed": 1},
    }
    assert counts(skipped, step(count)) == {"": {"StepsSkipped": 1, "RepliesDefault": 1}, "count": {"Seen": 1}}


@pytest.mark.usefixtures("in_lambda")
def test_steps_that_do_their_work_write_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageContent, "put", lambda *_, **__: Update(UpdateOutcome.UPDATED))
    banner = step(lambda message: message.editor.add_banner("From outside"), name="banner")
    assert counts(banner) == {"": {"ColdStarts": 1, "RepliesDefault": 1}}


# Of letters that no line has otherwise.
secrets = st.text("ÄÖÜßξ☃", min_size=3, max_size=12)


@pytest.mark.usefixtures("in_lambda")
@given(
    sender=secrets,
    people=st.lists(secrets, min_size=1, max_size=3, unique=True),
    subject=secrets,
    kinds=st.lists(st.sampled_from(["note", "bounce", "drop", "copy", "edit", "raise", "must"]), max_size=4),
)
def test_no_line_holds_anything_of_the_mail(sender: str, people: list[str], subject: str, kinds: list[str]) -> None:
    event = inbound(
        *(f"{each}@example.com" for each in people), mail_from=f"{sender}@{sender}.example", subject=subject
    )
    raw = f"From: {sender}@{sender}.example\r\nSubject: {subject}\r\n\r\nHello {subject}\r\n".encode()

    def run(message: Message, kind: str) -> Any:
        message.count("Seen")
        message.note(f"{subject} of {sender}@{sender}.example")
        match kind:
            case "bounce":
                message.bounce(f"No, {sender}: {subject}")
            case "drop":
                message.drop(message.recipients[:1])
            case "copy":
                message.copy_to(["audit@example.com"])
            case "edit":
                message.editor.add_banner(subject)
            case "raise" | "must":
                raise ValueError(sender, subject)

    def put(*_: object, **__: object) -> Update:
        raise MessageFrozenError("MessageFrozen", f"{sender} {subject}", status=400, request_id=None)

    steps = [
        step(run, name=f"step {index}", must=kind == "must", configuration={"kind": kind})
        for index, kind in enumerate(kinds)
    ]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed), contextlib.suppress(StepError):
        patch.setattr(MessageContent, "put", put)
        synchronous_inbound(lambda parsed: run_steps(conversation_of(parsed, raw), steps))(event.raw)
    lines = [line for line in printed.getvalue().splitlines() if "_aws" in line]
    assert len(lines) <= 1 + len(steps)
    shown = "".join(line + json.dumps(json.loads(line), ensure_ascii=False) for line in lines)
    for secret in (sender, subject, *people, "@", ".example", "audit"):
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown
