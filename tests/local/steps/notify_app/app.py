"""Rules, by their sender, that publish events, post in chats and ask state machines; the docs show its steps."""

from __future__ import annotations

import os
from pathlib import Path

from aws_cdk import App, Duration, Stack
from aws_cdk.aws_events import EventBus, EventPattern, Rule
from aws_cdk.aws_events_targets import SqsQueue
from aws_cdk.aws_secretsmanager import Secret
from aws_cdk.aws_sqs import Queue
from aws_cdk.aws_stepfunctions import DefinitionBody, Pass, StateMachine, StateMachineType

from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization
from workmail_constructs.steps.ask_state_machine import AskStateMachine
from workmail_constructs.steps.chat import Slack, Teams, Webhook
from workmail_constructs.steps.notify_chat import NotifyChat
from workmail_constructs.steps.own_step import OwnStep
from workmail_constructs.steps.publish_event import PublishEvent

app = App()
stack = Stack(app, "Notify")
organization = WorkMailOrganization.from_organization_id(
    stack, "Organization", "m-0123456789abcdef0123456789abcdef", domains=["example.com"]
)

bus = EventBus(stack, "Bus")
queue = Queue(stack, "Events")
# [publish_event
publish = PublishEvent(bus, subject=True)
# publish_event]
Rule(
    stack,
    "Listen",
    event_bus=bus,
    event_pattern=EventPattern(source=["workmail.rules"]),
    targets=[SqsQueue(queue)],
)

secret = Secret(stack, "Webhook")
# [notify_chat
slack = NotifyChat(
    Slack("<!here> Mail about an invoice", show=["SUBJECT", "SENDER"]), webhook=secret, subject_words=["invoice"]
)
teams = NotifyChat(Teams("**Mail from outside**", show=["RECIPIENT_COUNT"]), webhook=secret, name="Teams")
own = NotifyChat(
    Webhook({"content": "About: {subject}", "allowed_mentions": {"parse": []}}, markup="MARKDOWN"),
    webhook=secret,
    header_words={"X-Priority": ["1"]},
    name="Own",
)
# notify_chat]

machine = StateMachine(stack, "Machine", definition_body=DefinitionBody.from_chainable(Pass(stack, "Decide")))
# [ask_state_machine
ask = AskStateMachine(machine, addresses=True)
# ask_state_machine]
express = StateMachine(
    stack,
    "ExpressMachine",
    definition_body=DefinitionBody.from_chainable(Pass(stack, "DecideAtOnce")),
    state_machine_type=StateMachineType.EXPRESS,
)
play = OwnStep(
    Path(__file__).parent / "play_step_functions",
    configuration={"url": os.environ.get("STEP_FUNCTIONS_URL", "")},
    decides=False,
)
waiting = AskStateMachine(machine, wait=Duration.seconds(1))
waits = Run.synchronous(fallback=FallbackAction.DROP, rule_timeout=Duration.minutes(10))
at_once = Run.synchronous(fallback=FallbackAction.DROP, rule_timeout=Duration.minutes(0))
for name, run, steps in (
    ("publish", Run.asynchronous(), [publish]),
    ("chat", at_once, [slack, teams, own]),
    ("standard", at_once, [play, ask]),
    ("express", at_once, [play, AskStateMachine(express, addresses=True)]),
    ("waiting", waits, [waiting]),
):
    RunLambdaRule(
        stack,
        name.capitalize(),
        organization=organization,
        direction=FlowDirection.INBOUND,
        run=run,
        steps=steps,
        senders=[f"{name}.example"],
        # The webhook of the test has a certificate of an authority of its own.
        environment={"SSL_CERT_FILE": os.environ.get("WEBHOOK_AUTHORITY", "")},
    )
app.synth()
