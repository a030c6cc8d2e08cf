"""`workmail-flow redrive` against a deployed app: events that its functions failed on run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from workmail_local.access_keys import AccessKeys
from workmail_local.server.daemon import Daemon
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("redrive-app")

APP = Path(__file__).parent / "redrive_app"
BOB, OUTSIDER = "bob@example.com", "carol@example.net"
SECRET = "of this test"
ONE_TRY = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    # Compressed, so that Lambda's retries after one and two minutes come at once.
    daemon, _ = Daemon.start(tmp_path_factory.mktemp("redrive"), ["--time-scale", "600"], secret=SECRET)
    try:
        running = WorkMailLocal(daemon, 600)
        running.deploy_app(APP)
        yield running
    finally:
        daemon.stop()


@pytest.fixture
def local(deployed: WorkMailLocal) -> WorkMailLocal:
    deployed.clear()
    sqs = deployed.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return deployed


def send(local: WorkMailLocal, recipient: str = BOB, **options: Any) -> SentMessage:
    message = EmailMessage()
    message["From"] = BOB if recipient == OUTSIDER else OUTSIDER
    message["To"], message["Subject"] = recipient, "Agenda"
    message.set_content("Hello")
    return local.send(message, **options)


def redrive(local: WorkMailLocal, *arguments: str, status: int = 0, key: str | None = None) -> str:
    """Run the command as a person does after `eval "$(workmail-flow local env)"`, with another access key if given."""
    own = {} if key is None else {"AWS_ACCESS_KEY_ID": key}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", "from workmail_constructs.cli import main; main()", "redrive", *arguments],
        env=environment | local.daemon.aws_environment() | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr + done.stdout
    return done.stdout + ("" if "--json" in arguments else done.stderr)


def queued(local: WorkMailLocal) -> list[dict[str, Any]]:
    """Every record that a reader of the queues would see now."""
    sqs = local.client("sqs")
    found = []
    for url in sqs.list_queues()["QueueUrls"]:
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        found += [json.loads(message["Body"]) for message in received.get("Messages", [])]
    return found


@pytest.mark.fact("E7", "E8", "T4", "R10")
def test_failed_events_run_again_with_their_invocation_id_and_leave_the_queue(local: WorkMailLocal) -> None:
    local.add_fault("function-error", times=6)
    sent = [send(local), send(local, OUTSIDER, direction="outbound")]
    assert [len(each.attempts) for each in sent] == [3, 3]
    assert not any(each.succeeded for each in sent)
    qualified = {record["requestContext"]["functionArn"].rpartition(":")[2] for record in queued(local)}
    assert qualified == {"$LATEST", "live"}

    looked = redrive(local, "Redrive", "--dry-run")
    assert "2 events; nothing was sent (--dry-run)." in looked
    assert all(each.id in looked for each in sent)
    assert not any(word in looked for word in ("bob@", "carol@", "Agenda", "the fault plan made it fail"))
    assert len(queued(local)) == 2
    assert all(word in redrive(local, "Redrive", "--dry-run", "--show-addresses") for word in ("bob@", "Agenda"))

    assert "Sent 2 of 2 events; 0 in the queue as before." in redrive(local, "Redrive", "--yes")
    assert queued(local) == []
    for each in sent:
        again = local.wait(each.id)
        assert again.succeeded
        assert [attempt["outcome"] for attempt in again.attempts] == [*["function-error"] * 3, "replied"]
        assert f"ran for {each.events[0]['invocationId']}" in again.logs
        assert again.detail["flows"][0]["failureRecord"] is None
    assert len(local.inbox(BOB)) == 1


def test_an_event_that_fails_again_is_tried_afresh_and_back_in_the_queue(local: WorkMailLocal) -> None:
    local.add_fault("function-error", times=6)
    sent = send(local)
    before = queued(local)[0]
    assert json.loads(redrive(local, "Redrive", "--yes", "--json"))["events"][0]["result"] == "sent"
    again = local.wait(sent.id)
    assert (again.succeeded, len(again.attempts)) == (False, 6)
    (record,) = queued(local)
    assert record["requestPayload"] == before["requestPayload"]
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["timestamp"] > before["timestamp"]
    (shown,) = json.loads(redrive(local, "Redrive", "--yes", "--json"))["events"]
    assert (shown["messageId"], shown["content"], shown["copies"], shown["result"]) == (sent.id, "readable", 1, "sent")
    assert local.wait(sent.id).succeeded


def test_the_documented_policy_is_enough(local: WorkMailLocal) -> None:
    (arn,) = (
        each["FunctionArn"]
        for each in local.client("lambda").list_functions()["Functions"]
        if each["FunctionName"].startswith("Operator")
    )
    key = AccessKeys(SECRET).of_function(arn)
    with pytest.raises(ClientError, match="AccessDenied"):
        local.client("sqs", aws_access_key_id=key).create_queue(QueueName="other")
    local.add_fault("function-error", times=3)
    sent = send(local)
    assert "Sent 1 of 1 event; 0 in the queue as before." in redrive(local, "Redrive", "--yes", key=key)
    assert local.wait(sent.id).succeeded


def test_a_queue_is_named_by_its_name_url_or_arn(local: WorkMailLocal) -> None:
    local.add_fault("function-error", times=3)
    send(local)
    sqs = local.client("sqs")
    (url,) = (each for each in sqs.list_queues()["QueueUrls"] if "Inbound" in each)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for named in (url.rpartition("/")[2], url, arn):
        assert len(json.loads(redrive(local, named, "--dry-run", "--json"))["events"]) == 1
    stack = local.client("cloudformation").describe_stacks(StackName="Redrive")["Stacks"][0]["StackId"]
    assert len(json.loads(redrive(local, stack, "--dry-run", "--json"))["events"]) == 1
    refused = redrive(local, "Nothing", "--dry-run", status=1)
    assert (
        "'Nothing' is neither a stack (there is none of this name) nor a queue (there is none of this name)" in refused
    )
    sqs.create_queue(QueueName="Redrive")
    both = redrive(local, "Redrive", "--dry-run", status=1)
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="Redrive")["QueueUrl"])
    assert f"'Redrive' is a stack and a queue; give the ARN of the one that you mean: {stack} http" in both


def test_a_record_that_names_another_function_invokes_nothing(local: WorkMailLocal) -> None:
    local.add_fault("function-error", times=3)
    sent = send(local)
    sqs = local.client("sqs")
    (url,) = (each for each in sqs.list_queues()["QueueUrls"] if "Inbound" in each)
    (record,) = queued(local)
    functions = local.client("lambda").list_functions()["Functions"]
    for other in (each["FunctionArn"] for each in functions if "Inbound" not in each["FunctionName"]):
        forged = record | {"requestContext": record["requestContext"] | {"functionArn": f"{other}:$LATEST"}}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(forged))
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record["requestPayload"]))
    said = redrive(local, url, "--yes")
    assert "Sent 1 of 1 event; 0 in the queue as before." in said
    assert "left in the queue: 3 of 5 messages: its function does not send its failed events to this queue" in said
    assert "left in the queue: 1 of 5 messages: the event alone, as in a dead-letter queue" in said
    assert len(queued(local)) == 4
    assert local.wait(sent.id).succeeded


# The local AWS's Invoke


def invoke(local: WorkMailLocal, event: object, *, kind: str = "Event", name: str = "Inbound") -> int:
    awslambda = local.client("lambda", config=ONE_TRY)
    (function,) = (
        each["FunctionArn"] for each in awslambda.list_functions()["Functions"] if name in each["FunctionName"]
    )
    answer = awslambda.invoke(FunctionName=function, InvocationType=kind, Payload=json.dumps(event).encode())
    return int(answer["StatusCode"])


def test_an_event_whose_function_succeeded_or_still_runs_is_run_once_for_each_invocation(local: WorkMailLocal) -> None:
    sent = send(local)
    (event,) = sent.events
    assert [invoke(local, event) for _ in range(3)] == [202, 202, 202]
    again = local.wait(sent.id)
    assert [attempt["outcome"] for attempt in again.attempts] == ["replied"] * 4
    assert len(local.inbox(BOB)) == 1


def test_a_dry_run_runs_nothing_and_answers_whether_the_function_is_there(local: WorkMailLocal) -> None:
    sent = send(local)
    assert invoke(local, sent.events[0], kind="DryRun") == 204
    assert len(local.wait(sent.id).attempts) == 1
    awslambda = local.client("lambda", config=ONE_TRY)
    with pytest.raises(awslambda.exceptions.ResourceNotFoundException, match="Function not found: arn:aws:lambda"):
        awslambda.invoke(FunctionName="none", InvocationType="DryRun")


def test_what_the_local_aws_cannot_run_is_refused_and_says_what_it_can(local: WorkMailLocal) -> None:
    (event,) = send(local).events
    waiting = send(local, "eve@example.com").events[0]
    for wrong, kind, name, message in (
        (event, "RequestResponse", "Inbound", "the local AWS takes Event and DryRun"),
        ({"messageId": "1"}, "Event", "Inbound", "for a message that went through the local WorkMail"),
        ([], "Event", "Inbound", "the event is none that WorkMail sent to"),
        (event | {"subject": "x"}, "Event", "Inbound", "the event is none that WorkMail sent to"),
        (event, "Event", "Outbound", "the event is none that WorkMail sent to"),
        (waiting, "Event", "Waiting", "is synchronous, so its function runs only while mail waits"),
    ):
        with pytest.raises(ClientError, match=message) as refused:
            invoke(local, wrong, kind=kind, name=name)
        assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_a_version_alias_and_function_are_told_apart(local: WorkMailLocal) -> None:
    awslambda = local.client("lambda")
    (name,) = (
        each["FunctionName"] for each in awslambda.list_functions()["Functions"] if "Outbound" in each["FunctionName"]
    )
    config = awslambda.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert config["FunctionArn"].endswith(f"{name}:live")
    assert "Outbound" in config["DestinationConfig"]["OnFailure"]["Destination"]
    with pytest.raises(awslambda.exceptions.ResourceNotFoundException):
        awslambda.get_function_event_invoke_config(FunctionName=name)
    (listed,) = awslambda.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    assert listed["FunctionArn"] == config["FunctionArn"]
