"""`workmail-flow redrive` on moto's queues, with a Lambda that does what a test wants."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from workmail_constructs.cli import redrive as command
from workmail_constructs.cli.app import app
from workmail_constructs.watching import failed_events
from workmail_constructs.watching.failed_events import (
    Content,
    Filters,
    Queue,
    Redrive,
    RedriveError,
    Result,
    Source,
    content_state,
    find_source,
)
from workmail_flow.failure_record import FailureRecord
from workmail_flow.flow_rule import FlowRule
from workmail_flow.rule_set import RuleSet
from workmail_flow.template import DeclaredRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result as Done

REGION, ACCOUNT = "eu-west-1", "123456789012"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rule"


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as the test wants"}}, "Operation")


class Lambda:
    """Takes every event, but for `refuse`: the error for an event, by its invocationId."""

    def __init__(self) -> None:
        self.destinations: dict[str, str | ClientError] = {}
        self.refuse: dict[str, ClientError] = {}
        self.taken: list[tuple[str, Any]] = []
        self.before_each: Callable[[], None] = lambda: None

    def get_function_event_invoke_config(self, *, FunctionName: str, Qualifier: str = "") -> dict[str, Any]:  # noqa: N803
        found = self.destinations.get(":".join(filter(None, (FunctionName, Qualifier))))
        if found is None:
            raise error("ResourceNotFoundException")
        if isinstance(found, ClientError):
            raise found
        return {"DestinationConfig": {"OnFailure": {"Destination": found}}}

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert InvocationType == "Event"
        self.before_each()
        event = json.loads(Payload)
        if refused := self.refuse.get(event.get("invocationId")):
            raise refused
        self.taken.append((FunctionName, event))
        return {"StatusCode": 202}

    @property
    def ids(self) -> list[str]:
        return [event["invocationId"] for _, event in self.taken]


class World:
    """One queue of one function, and the command."""

    def __init__(self, sqs: Any) -> None:
        self.sqs = sqs
        self.now = datetime.now(UTC)
        url = sqs.create_queue(QueueName="failed")["QueueUrl"]
        self.queue = Queue(url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed")
        self.awslambda = Lambda()
        self.awslambda.destinations = {"rule": self.queue.arn, "rule:live": self.queue.arn}
        self.source = Source(queues=(self.queue,), functions=None, stack=None, region=REGION)

    def fail(self, invocation_id: str = "a", *, age: timedelta = timedelta(), **changes: Any) -> None:
        """Have a failed event in the queue."""
        event = {
            "envelope": {"mailFrom": {"address": "ann@x.test"}, "recipients": [{"address": "bob@example.com"}]},
            "subject": "Agenda",
            "messageId": f"m-{invocation_id}",
            "invocationId": invocation_id,
        }
        record = FailureRecord(
            **{
                "timestamp": self.now - age,
                "request_id": f"r-{invocation_id}",
                "function_arn": f"{ARN}:$LATEST",
                "condition": "RetriesExhausted",
                "invoke_count": 3,
                "event": event | changes.pop("event", {}),
                "error_type": "ValueError",
                "error_message": "no mailbox bob@example.com",
                **changes,
            }
        )
        self.put(json.dumps(record.to_json()))

    def put(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.queue.url, MessageBody=body)

    def redrive(self, **options: Any) -> Redrive:
        return Redrive(source=self.source, sqs=self.sqs, awslambda=self.awslambda, now=self.now, **options)

    def visible(self) -> int:
        """How many messages another reader would get now."""
        found = 0
        while received := self.sqs.receive_message(
            QueueUrl=self.queue.url, MaxNumberOfMessages=10, VisibilityTimeout=300
        ).get("Messages", []):
            found += len(received)
        return found

    def total(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.queue.url, AttributeNames=names)["Attributes"]
        return sum(map(int, counts.values()))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(failed_events, "_LONG_POLL_S", 0)
    with mock_aws():
        found = World(boto3.client("sqs", region_name=REGION))
        clients = {"sqs": found.sqs, "lambda": found.awslambda}
        monkeypatch.setattr(failed_events, "client", lambda service, _: clients[service])
        monkeypatch.setattr(failed_events, "find_source", lambda _, region: found.source)
        yield found


def run(*arguments: str, status: int = 0, answer: str | None = None) -> Done:
    done = CliRunner().invoke(app, ["redrive", "failed", *arguments], input=answer)
    assert done.exit_code == status, (done.exit_code, done.stdout, done.stderr, done.exception)
    return done


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_at_terminal", lambda: True)


def sent_by(one: Redrive) -> list[Result | None]:
    with one.holding():
        list(one.receive())
        list(one.send())
    return [event.result for event in one.events]


# Once each


def test_each_event_is_sent_once_to_what_failed_and_leaves_the_queue(world: World) -> None:
    for number in range(23):
        world.fail(str(number), age=timedelta(minutes=number))
    world.fail("alias", function_arn=f"{ARN}:live")
    assert "Sent 24 of 24 events; 0 in the queue as before." in run("--yes").stdout
    assert sorted(world.awslambda.ids) == sorted([*map(str, range(23)), "alias"])
    assert world.awslambda.ids[:2] == ["22", "21"]  # the oldest first: their content goes first
    assert {name for name, event in world.awslambda.taken if event["invocationId"] == "alias"} == {f"{ARN}:live"}
    assert {name for name, event in world.awslambda.taken if event["invocationId"] != "alias"} == {ARN}
    assert world.total() == 0


@pytest.mark.fact("E7")
def test_an_event_that_is_there_twice_is_sent_once(world: World) -> None:
    world.fail("a", age=timedelta(hours=20))
    world.fail("a", request_id="another")
    world.fail("b")
    (twice, once) = json.loads(run("--yes", "--json").stdout)["events"]
    assert (twice["copies"], twice["content"], once["copies"]) == (2, "may be gone", 1)
    assert world.awslambda.ids == ["a", "b"]
    assert world.total() == 0


def test_copies_stay_if_the_event_was_not_taken(world: World) -> None:
    world.fail("a")
    world.fail("a")
    world.awslambda.refuse["a"] = error("AccessDeniedException")
    run("--yes", status=1)
    assert world.visible() == 2


def test_events_without_an_invocation_id_are_told_apart_by_request(world: World) -> None:
    old = {"requestPayload": {"envelope": {"recipients": []}, "subject": "old"}}
    world.fail("a")
    body = json.loads(world.sqs.receive_message(QueueUrl=world.queue.url, VisibilityTimeout=0)["Messages"][0]["Body"])
    for request in ("r1", "r1", "r2"):
        context = {"requestContext": body["requestContext"] | {"requestId": request}}
        world.put(json.dumps(body | old | context))
    assert "Sent 3 of 3 events" in run("--yes").stdout
    assert world.total() == 0


def test_another_event_under_a_known_invocation_id_is_left(world: World) -> None:
    world.fail("a", age=timedelta(minutes=1))
    world.fail("a", event={"subject": "forged"})
    assert "1 of 2 messages: another event with the same invocationId" in run("--yes").stderr
    assert len(world.awslambda.taken) == 1
    assert world.visible() == 1


def test_a_message_that_comes_twice_while_it_is_held_counts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_events, "HOLD_S", 0)  # so that it comes again at once
    world.fail("a")
    one = world.redrive()
    list(one.receive())
    assert (one.seen, len(one.events), len(one.events[0].messages)) == (1, 1, 1)


# Whom to trust


def test_a_record_cannot_choose_the_function(world: World) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
    world.awslambda.destinations |= {"other": f"{world.queue.arn}-2", "told": topic, "hidden": error("AccessDenied")}
    for number, name in enumerate(("other", "told", "hidden", "none", "rule:7")):
        world.fail(str(number), function_arn=f"{ARN.removesuffix('rule')}{name}")
    world.fail("account", function_arn=ARN.replace(ACCOUNT, "210987654321"))
    world.fail("region", function_arn=ARN.replace(REGION, "us-east-1"))
    said = run("--yes").stderr
    assert "left in the queue: 5 of 7 messages: its function does not send its failed events to this queue" in said
    assert "left in the queue: 2 of 7 messages: its function is of another Region or account than the queue" in said
    assert world.awslambda.taken == []
    assert world.visible() == 7


def test_of_a_stack_only_its_own_functions_are_invoked(world: World) -> None:
    world.awslambda.destinations["other"] = world.queue.arn
    world.source = Source(queues=(world.queue,), functions=frozenset({ARN}), stack="Mail", region=REGION)
    world.fail("a")
    world.fail("b", function_arn=f"{ARN}:live")
    world.fail("c", function_arn=f"{ARN.removesuffix('rule')}other:$LATEST")
    assert "1 of 3 messages: its function is not that of an asynchronous rule of stack Mail" in run("--yes").stderr
    assert sorted(world.awslambda.ids) == ["a", "b"]
    assert world.visible() == 1


def test_what_is_no_record_is_left_and_counted(world: World) -> None:
    world.fail("a")
    for body in ("hello", '{"Records": []}', '{"envelope": {"recipients": []}}'):
        world.put(body)
    found = json.loads(run("--yes", "--json").stdout)
    assert [*found["left"].values()] == [1, 1, 1]
    assert (len(found["events"]), world.visible()) == (1, 3)


# What goes wrong


def test_an_event_that_is_not_taken_stays_and_the_others_go(world: World) -> None:
    for name in ("a", "b", "c"):
        world.fail(name)
    world.awslambda.refuse["b"] = error("TooManyRequestsException")
    said = run("--yes", status=1)
    assert "Sent 2 of 3 events; 1 in the queue as before." in said.stdout
    assert "not sent: message m-b, request r-b: An error occurred (TooManyRequestsException)" in said.stderr
    assert (sorted(world.awslambda.ids), world.visible()) == (["a", "c"], 1)


def test_an_answer_but_202_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.awslambda, "invoke", lambda **_: {"StatusCode": 200})
    world.fail("a")
    assert "Lambda answered 200, not 202" in run("--yes", status=1).stderr
    assert world.visible() == 1


def test_an_event_that_is_sent_but_not_deleted_is_reported_loudly_and_stays_hidden(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_to_delete(**_: Any) -> None:
        raise error("AccessDenied")

    world.fail("a")
    monkeypatch.setattr(world.sqs, "delete_message", fail_to_delete)
    said = run("--yes", status=1)
    assert "SENT BUT NOT DELETED: message m-a, request r-a" in said.stderr
    assert "the next run sends it once more (E7)" in said.stderr
    assert "1 messages stay hidden in the queue for up to 10 minutes" in said.stderr
    assert "Sent 1 of 1 event" in said.stdout
    assert (world.visible(), world.total()) == (0, 1)


def test_what_is_no_longer_hidden_from_others_is_not_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fail("a")
    one = world.redrive()
    with one.holding():
        list(one.receive())
        later = time.time() + failed_events.HOLD_S + 1
        monkeypatch.setattr(failed_events.time, "time", lambda: later)
        assert [event.result for event in one.send()] == [Result.NOT_HELD]
    assert world.awslambda.taken == []


def test_messages_stay_hidden_while_a_person_reads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_events, "HOLD_S", 2)
    monkeypatch.setattr(failed_events, "_RENEW_S", 0.3)
    world.fail("a")
    one = world.redrive()
    with one.holding():
        list(one.receive())
        time.sleep(2.6)
        assert world.visible() == 0
        assert [event.result for event in one.send()] == [Result.SENT]
    assert (one.hidden, world.total()) == (0, 0)


def test_a_renewal_that_fails_is_no_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_to_change(**_: Any) -> None:
        raise error("ServiceUnavailable")

    world.fail("a")
    one = world.redrive()
    with one.holding():
        list(one.receive())
        monkeypatch.setattr(world.sqs, "change_message_visibility_batch", fail_to_change)
    assert one.hidden == 1


def test_a_queue_that_cannot_be_read_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_to_receive(**_: Any) -> None:
        raise error("AccessDenied")

    monkeypatch.setattr(world.sqs, "receive_message", fail_to_receive)
    assert f"{world.queue.arn}: An error occurred (AccessDenied)" in run("--yes", status=1).stderr


def test_at_most_as_many_as_sqs_gives_out_are_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    receive, calls = world.sqs.receive_message, iter(range(9))

    def receive_once(**options: Any) -> Any:
        if next(calls):
            raise error("OverLimit")
        return receive(**options)

    world.fail("a")
    monkeypatch.setattr(world.sqs, "receive_message", receive_once)
    assert sent_by(world.redrive()) == [Result.SENT]


# Who decides


@pytest.mark.usefixtures("at_terminal")
def test_a_person_is_asked_and_the_answer_counts(world: World) -> None:
    world.fail("a")
    declined = run(answer="n\n")
    assert "Send 1 event to 1 function again? [y/N]" in declined.stderr
    assert (world.awslambda.taken, world.visible()) == ([], 1)


@pytest.mark.usefixtures("at_terminal")
def test_yes_at_the_prompt_sends(world: World) -> None:
    world.fail("a")
    assert "Sent 1 of 1 event" in run(answer="y\n").stdout


@pytest.mark.usefixtures("at_terminal")
def test_ctrl_c_at_the_prompt_sends_nothing_and_releases_all(world: World) -> None:
    world.fail("a")
    run(answer="", status=130)
    assert (world.awslambda.taken, world.visible()) == ([], 1)


def test_ctrl_c_while_sending_ends_after_the_event_at_hand(world: World) -> None:
    for number in range(4):
        world.fail(str(number), age=timedelta(minutes=9 - number))

    def interrupt() -> None:
        if len(world.awslambda.taken) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    world.awslambda.before_each = interrupt
    assert "Sent 2 of 4 events; 2 in the queue as before." in run("--yes", status=130).stdout
    assert (world.awslambda.ids, world.visible()) == (["0", "1"], 2)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_receiving_releases_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    world.fail("a")
    monkeypatch.setattr(command, "_show", interrupt)
    run("--yes", status=130)
    assert (world.awslambda.taken, world.visible()) == ([], 1)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_where_nobody_can_be_asked_it_wants_to_be_told(world: World, options: tuple[str, ...]) -> None:
    world.fail("a")
    assert "nobody can be asked here: give --yes to send, or --dry-run to look only" in run(*options, status=2).stderr
    assert (world.awslambda.taken, world.visible()) == ([], 1)


def test_a_dry_run_changes_nothing(world: World) -> None:
    world.fail("a")
    world.put("hello")
    assert "1 event; nothing was sent (--dry-run)." in run("--dry-run", "--yes").stdout
    assert (world.awslambda.taken, world.visible()) == ([], 2)


def test_an_empty_queue_is_said(world: World) -> None:
    assert run("--yes").stdout == "No failed events to send.\n"


# What is shown


def test_no_address_is_shown_unless_asked_for(world: World) -> None:
    world.fail("a")
    world.fail("b", error_type="bob@example.com")
    private = re.compile(r"ann@x\.test|bob@example\.com|Agenda|no mailbox")
    for options in ((), ("--json",)):
        shown = run("--dry-run", *options)
        assert not private.search(shown.stdout + shown.stderr)
        assert all(word in shown.stdout for word in ("rule", "RetriesExhausted", "ValueError", "m-a"))
        all_shown = run("--dry-run", "--show-addresses", *options).stdout
        assert set(private.findall(re.sub(r"\s+", " ", all_shown))) == {
            "ann@x.test",
            "bob@example.com",
            "Agenda",
            "no mailbox",
        }


def test_nothing_in_a_record_steers_the_terminal(world: World) -> None:
    world.fail("a", event={"subject": "\x1b[31mred\u202e"}, error_message="\x1b]0;title\x07")
    shown = run("--dry-run", "--show-addresses").stdout
    assert r"\x1b[31mred" in shown
    assert not any(character in shown for character in "\x1b\x07\u202e")


@pytest.mark.fact("C2")
@pytest.mark.parametrize(
    ("age", "state"),
    [
        (timedelta(hours=-1), Content.READABLE),
        (timedelta(hours=17, minutes=59), Content.READABLE),
        (timedelta(hours=18), Content.MAY_BE_GONE),
        (timedelta(hours=23, minutes=59), Content.MAY_BE_GONE),
        (timedelta(hours=24), Content.GONE),
        (timedelta(days=13), Content.GONE),
    ],
)
def test_content_is_readable_for_24_hours_of_which_lambda_may_have_used_6(age: timedelta, state: Content) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert content_state(now - age, now) is state


@pytest.mark.fact("C2")
@pytest.mark.usefixtures("at_terminal")
def test_content_that_is_gone_is_said_before_the_question(world: World) -> None:
    for name, hours in (("a", 1), ("b", 20), ("c", 25), ("d", 300)):
        world.fail(name, age=timedelta(hours=hours))
    shown = run(answer="n\n")
    assert shown.stderr.index("gone for 2 events, may be gone for 1 event") < shown.stderr.index("Send 4 events")
    assert [word in shown.stdout for word in ("readable", "may be gone", "12 d")] == [True, True, True]
    assert "gone" not in run("--dry-run", "--newer-than", "18h").stderr


# Filters


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), {"a", "b", "c", "d"}),
        (("--function", "rule"), {"a", "b", "c", "d"}),
        (("--function", ARN), {"a", "b", "c", "d"}),
        (("--function", "rule:live"), {"b"}),
        (("--function", f"{ARN}:live"), {"b"}),
        (("--function", "rul"), set()),
        (("--error", "KeyError"), {"c"}),
        (("--message-id", "m-a", "--message-id", "m-d"), {"a", "d"}),
        (("--newer-than", "30m"), {"a", "b"}),
        (("--older-than", "2d"), {"d"}),
        (("--newer-than", "47h", "--older-than", "1h"), {"c"}),
        (("--limit", "2"), {"c", "d"}),
        (("--limit", "9"), {"a", "b", "c", "d"}),
        (("--error", "ValueError", "--limit", "1"), {"d"}),
    ],
)
def test_only_what_is_meant_is_sent_and_the_rest_stays(
    world: World, options: tuple[str, ...], wanted: set[str]
) -> None:
    world.fail("a")
    world.fail("b", function_arn=f"{ARN}:live", age=timedelta(minutes=29))
    world.fail("c", error_type="KeyError", age=timedelta(hours=2))
    world.fail("d", age=timedelta(days=2, seconds=1))
    done = run("--yes", *options)
    assert set(world.awslambda.ids) == wanted
    assert world.visible() == 4 - len(wanted)
    left = {0: "", 1: "left in the queue: 1 event that the options leave out"}
    assert left.get(4 - len(wanted), f"left in the queue: {4 - len(wanted)} events that") in done.stderr


def test_copies_are_meant_together(world: World) -> None:
    world.fail("a", age=timedelta(hours=30))
    world.fail("a")
    assert sent_by(world.redrive(filters=Filters(newer_than=timedelta(hours=1)))) == []
    assert world.visible() == 2


def test_others_see_what_is_not_meant_while_a_person_reads(world: World) -> None:
    world.fail("a")
    world.fail("b")
    world.put("hello")
    one = world.redrive(filters=Filters(message_ids=frozenset({"m-a"})))
    with one.holding():
        list(one.receive())
        assert world.visible() == 2


@pytest.mark.parametrize("age", ["18", "h", "1.5h", "-1h", "1w", "99999999d"])
def test_an_age_has_a_unit(world: World, age: str) -> None:
    assert "allowed is a number of minutes, hours or days, like 18h" in re.sub(
        r"[│\s]+", " ", run("--dry-run", f"--newer-than={age}", status=2).stderr
    )


# Queues and stacks


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    awslambda, real = Lambda(), failed_events.client
    monkeypatch.setattr(
        failed_events, "client", lambda name, region: awslambda if name == "lambda" else real(name, region)
    )
    with mock_aws():
        yield awslambda


def declare(monkeypatch: pytest.MonkeyPatch, *rules: dict[str, Any]) -> None:
    """Have a stack `Mail` deployed that declares these rules."""
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    cloudformation.create_stack(StackName="Mail", TemplateBody=template)
    base = {"direction": "INBOUND", "action": "RUN_LAMBDA", "senders": ["*"], "destinations": ["*"]}
    declared = RuleSet(FlowRule.from_json(base | {"synchronous": False} | rule) for rule in rules)
    entry = DeclaredRules(organization_id="m-1", organization_arn="", domains=(), rules=declared)
    monkeypatch.setattr(failed_events, "from_deployed_stack", lambda _, region: [entry])


SYNCHRONOUS = {"synchronous": True, "fallback": "DEFAULT", "ruleTimeoutMinutes": 0}


def test_a_stack_stands_for_the_queues_of_its_asynchronous_rules(aws: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    names = ("one", "two", "three", "four", "five")
    arns = {name: f"{ARN.removesuffix('rule')}{name}" for name in names} | {
        "two": f"{ARN.removesuffix('rule')}two:live"
    }
    declare(
        monkeypatch,
        *({"name": name, "function": arns[name]} for name in names),
        {"name": "six", "function": "the output Arn of stack Other"},
        {"name": "seven", "function": ARN, **SYNCHRONOUS},
        {"name": "eight", "action": "DROP", "senders": ["x.test"], "synchronous": None},
    )
    queues = [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for name in ("q1", "q2")]
    for name in ("q1", "q2"):
        sqs.create_queue(QueueName=name)
    aws.destinations = {
        "one": queues[0],
        "two:live": queues[1],
        "three": queues[0],
        "four": f"arn:aws:sns:{REGION}:{ACCOUNT}:topic",
    }
    found = find_source("Mail", region=REGION)
    assert [queue.arn for queue in found.queues] == queues
    assert found.functions == {arns["one"], arns["two"].removesuffix(":live"), arns["three"]}
    assert (found.stack, found.region) == ("Mail", REGION)
    assert [note.partition(":")[0] for note in found.notes] == ["rule 'four'", "rule 'five'", "rule 'six'"]


def test_a_stack_without_failed_events_says_what_it_has(aws: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, {"name": "one", "function": ARN, **SYNCHRONOUS})
    with pytest.raises(RedriveError, match="stack Mail declares no asynchronous rule"):
        find_source("Mail", region=REGION)
    declare_again = [{"name": "one", "function": ARN}]
    monkeypatch.setattr(failed_events, "from_deployed_stack", lambda _, region: [_entry(declare_again)])
    with pytest.raises(RedriveError, match=f"has no on-failure queue: rule 'one': {ARN} has no on-failure destination"):
        find_source("Mail", region=REGION)
    aws.destinations["rule"] = error("AccessDeniedException")
    with pytest.raises(RedriveError, match="AccessDeniedException"):
        find_source("Mail", region=REGION)


def _entry(rules: list[dict[str, Any]]) -> DeclaredRules:
    base = {
        "direction": "INBOUND",
        "action": "RUN_LAMBDA",
        "senders": ["*"],
        "destinations": ["*"],
        "synchronous": False,
    }
    declared = RuleSet(FlowRule.from_json(base | rule) for rule in rules)
    return DeclaredRules(organization_id="m-1", organization_arn="", domains=(), rules=declared)


@pytest.mark.usefixtures("aws")
def test_a_queue_is_found_by_each_of_its_names_in_its_own_region() -> None:
    url = boto3.client("sqs", region_name=REGION).create_queue(QueueName="failed")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed"
    for named, region in ((url, None), (url, REGION), (arn, None), ("failed", REGION)):
        found = find_source(named, region=region)
        assert (found.queues[0].arn, found.region, found.functions) == (arn, REGION, None)
    for named in (arn, f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/failed"):
        with pytest.raises(RedriveError, match="is in eu-west-1, but --region is us-west-2"):
            find_source(named, region="us-west-2")


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("named", [ARN, "arn:aws:sqs:x", "no such name!", "Absent"])
def test_what_is_neither_is_an_error(named: str) -> None:
    with pytest.raises(RedriveError, match=r"not the ARN of a queue or a stack|is neither a stack .* nor a queue"):
        find_source(named, region=REGION)


@pytest.mark.usefixtures("aws")
def test_a_name_that_may_not_be_looked_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied:
        def __getattr__(self, _: str) -> Callable[..., None]:
            def deny(**_: Any) -> None:
                raise error("AccessDenied")

            return deny

    monkeypatch.setattr(failed_events, "client", lambda *_: Denied())
    with pytest.raises(
        RedriveError, match=r"may not look: cloudformation:DescribeStacks.*may not look: sqs:GetQueueUrl"
    ):
        find_source("Mail", region=REGION)


def test_an_unknown_profile_and_a_missing_queue_are_reported_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        said = run("--dry-run", "--profile", "nobody", status=1).stderr
        assert said == "failed: The config profile (nobody) could not be found\n"
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:absent"
        done = CliRunner().invoke(app, ["redrive", arn, "--dry-run"])
    assert (done.exit_code, "NonExistentQueue" in done.stderr) == (1, True)


def test_a_terminal_is_one_that_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert command._at_terminal() is False
