"""PublishEvent, NotifyChat and AskStateMachine, deployed: real messages, EventBridge, a webhook, Step Functions."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.unit.rules.stub_services import StubServices, serving
from tests.unit.rules.webhook_server import WebhookAnswer, WebhookServer, running_webhook
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("notify-app")

APP = Path(__file__).parent / "notify_app"
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/steps/message_summary.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def webhook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookServer]:
    with running_webhook(tmp_path_factory.mktemp("webhook")) as server:
        yield server


@pytest.fixture(scope="module")
def step_functions() -> Iterator[StubServices]:
    with serving() as stub:
        yield stub


@pytest.fixture(scope="module")
def local(
    tmp_path_factory: pytest.TempPathFactory, webhook: WebhookServer, step_functions: StubServices
) -> Iterator[WorkMailLocal]:
    """The app, deployed, with the webhook's URL in its secret."""
    with (
        pytest.MonkeyPatch.context() as patch,
        WorkMailLocal.running(tmp_path_factory.mktemp("state"), time_scale=60) as local,
    ):
        patch.setenv("WEBHOOK_AUTHORITY", str(webhook.authority))
        patch.setenv("STEP_FUNCTIONS_URL", step_functions.url)
        local.deploy_app(APP)
        secrets = local.client("secretsmanager")
        (secret,) = secrets.list_secrets()["SecretList"]
        secrets.put_secret_value(SecretId=secret["ARN"], SecretString=webhook.url)
        yield local


def message(rule: str, *, subject: str = "Hello", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"sender@{rule}.example"
    message["To"] = "alice@example.com, bob@example.com"
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Text.\n")
    return message


def steps_of(sent: SentMessage) -> list[dict[str, Any]]:
    """Return what each step did, over all attempts."""
    lines = [json.loads(line) for line in sent.logs.splitlines() if line.startswith('{"workmailSteps"')]
    return [step for line in lines for step in line["workmailSteps"]]


@pytest.mark.fact("T4", "E7")
def test_an_event_reaches_the_bus_without_an_address(local: WorkMailLocal) -> None:
    sent = local.send(message("publish", subject="Order 66"))
    assert sent.succeeded, sent.logs
    sqs = local.client("sqs")
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if "Events" in url]
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    (event,) = [json.loads(each["Body"]) for each in received]
    jsonschema.validate(event["detail"], SCHEMA)
    assert (event["source"], event["detail-type"]) == ("workmail.rules", "WorkMail Message")
    assert event["detail"]["invocationId"] == sent.events[0]["invocationId"]
    assert (event["detail"]["subject"], event["detail"]["recipientCount"]) == ("Order 66", 2)
    assert "@" not in json.dumps(event)
    assert "Order" not in sent.logs


def test_chats_get_a_post_that_a_hostile_subject_cannot_ping_from(local: WorkMailLocal, webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer())
    webhook.posts.clear()
    hostile = "invoice <!channel> **now** @everyone"
    sent = local.send(message("chat", subject=hostile, X_Priority="1 (Highest)"))
    assert sent.succeeded, sent.logs
    assert len(webhook.documents) == 3, sent.logs
    slack, teams, own = webhook.documents
    assert [each["elements"][1] for each in slack["blocks"][1]["elements"]] == [
        {"type": "text", "text": hostile},
        {"type": "text", "text": "sender@chat.example"},
    ]
    assert hostile not in json.dumps(teams)
    assert own["content"] == "About: invoice \\<\\!channel\\> \\*\\*now\\*\\* \\@\u200beveryone"
    assert [secret for secret in (webhook.url, "everyone", "sender@") if secret in sent.logs] == []


def test_mail_goes_on_without_a_post_that_was_not_taken(local: WorkMailLocal, webhook: WebhookServer) -> None:
    webhook.answer(WebhookAnswer(410))
    webhook.posts.clear()
    sent = local.send(message("chat"))
    assert sent.succeeded, sent.logs
    assert set(sent.actions.values()) == {"DEFAULT"}
    assert len(webhook.posts) == 1
    (slack, teams, own) = steps_of(sent)
    assert (slack["result"], slack["notes"]) == ("DONE", ["the message has none of the words"])
    assert (teams["result"], "the webhook answered with status 410" in str(teams["notes"])) == ("FAILED", True)
    assert (own["result"], own["notes"]) == ("DONE", ["the message has none of the words"])


@pytest.mark.parametrize(("rule", "operation"), [("standard", "DescribeExecution"), ("express", "StartSyncExecution")])
def test_an_execution_decides(local: WorkMailLocal, step_functions: StubServices, rule: str, operation: str) -> None:
    actions = [
        {"action": {"type": "MOVE_TO_JUNK"}, "recipients": ["bob@example.com"]},
        {"action": {"type": "BOUNCE", "parameters": {"bounceMessage": "Not today."}}, "allRecipients": True},
    ]
    step_functions.answer("StartExecution", {"executionArn": "arn:aws:states:us-east-1:1:execution:Machine:x"})
    step_functions.answer(operation, {"status": "SUCCEEDED", "output": json.dumps({"actions": actions})})
    step_functions.calls.clear()
    sent = local.send(message(rule))
    assert sent.actions == {"alice@example.com": "BOUNCE", "bob@example.com": "MOVE_TO_JUNK"}, sent.logs
    (_, started), *_ = step_functions.calls
    assert started["name"] == sent.events[0]["invocationId"].replace(":", "-")
    assert json.loads(started["input"])["recipients"] == ["alice@example.com", "bob@example.com"]


@pytest.mark.fact("T2", "E7")
def test_workmail_waits_for_one_execution_over_its_retries(local: WorkMailLocal) -> None:
    states = local.client("stepfunctions")
    sent = local.send(message("waiting"), timeout_s=120)
    machines = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    executions = [each for arn in machines for each in states.list_executions(stateMachineArn=arn)["executions"]]
    assert [each["name"] for each in executions] == [sent.events[0]["invocationId"]]
    assert (len(sent.attempts) > 1, set(sent.actions.values())) == (True, {"DROP"})
    steps = steps_of(sent)
    assert [each["result"] for each in steps] == ["FAILED"] * len(sent.attempts)
    assert all("the execution has not decided yet" in str(each["notes"]) for each in steps)
