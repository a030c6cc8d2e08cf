"""An app with each kind of rule, synthesized with CDK's own template validation and cdk-nag."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, RemovalPolicy, Stack, Validations
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_ec2 import Vpc
from aws_cdk.aws_events import EventBus
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Alias, Tracing
from aws_cdk.aws_s3 import Bucket
from aws_cdk.aws_secretsmanager import Secret
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_stepfunctions import StateMachine, StateMachineType
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from tests.constructs.stacks import ACCOUNT, HERE, ORGANIZATION_ID, REGION, new_function, new_rule
from tests.constructs.steps.rules import new_rule_of
from workmail_constructs import (
    ContentAccess,
    EmailEventLogging,
    EmailFlowRules,
    FlowRuleOperatorPolicy,
    Run,
    WorkMailDashboard,
    WorkMailOrganization,
)
from workmail_constructs.steps.allow_or_block import AllowOrBlock
from workmail_constructs.steps.ask_state_machine import AskStateMachine
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.chat import Slack
from workmail_constructs.steps.decision import Bounce
from workmail_constructs.steps.filter_by_header import FilterByHeader
from workmail_constructs.steps.find_sensitive import FindSensitive
from workmail_constructs.steps.footer import Footer
from workmail_constructs.steps.limit_rate import LimitRate
from workmail_constructs.steps.notify_chat import NotifyChat
from workmail_constructs.steps.own_step import OwnStep
from workmail_constructs.steps.publish_event import PublishEvent
from workmail_constructs.steps.restrict_mailboxes import RestrictMailboxes
from workmail_constructs.steps.save_message import SaveMessage
from workmail_constructs.steps.subject_prefix import SubjectPrefix
from workmail_constructs.steps.translate import Translate

if TYPE_CHECKING:
    from workmail_constructs.steps.step import Step

OWN_STEP = Path(__file__).parents[1] / "local" / "steps" / "framework_app" / "charge"
PLACE = f"{REGION}:{ACCOUNT}"


def build(outdir: str) -> App:
    """Declare one stack for each kind of rule."""
    app = App(outdir=outdir)
    new_rule(Stack(app, "Agnostic"), content_access=ContentAccess.READ)
    new_rule(Stack(app, "Plain", env=HERE))
    new_rule(Stack(app, "Read", env=HERE), content_access=ContentAccess.READ)
    new_rule(Stack(app, "Update", env=HERE), content_access=ContentAccess.UPDATE)
    new_rule(Stack(app, "Asynchronous", env=HERE), run=Run.asynchronous())
    encrypted = Stack(app, "Encrypted", env=HERE)
    new_rule(
        encrypted, content_access=ContentAccess.UPDATE, message_key=Key(encrypted, "Key", enable_key_rotation=True)
    )
    for name, env in (("Alias", HERE), ("AgnosticAlias", None)):
        looked_up = Stack(app, name, env=env)
        new_rule(looked_up, organization=WorkMailOrganization.from_alias(looked_up, "Organization", "acme"))
    existing = Stack(app, "Existing", env=HERE)
    role = Role(existing, "UsersRole", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
    alias = Alias(existing, "Live", alias_name="live", version=new_function(existing, role=role).current_version)
    new_rule(existing, function=alias, content_access=ContentAccess.READ)
    new_rule(Stack(app, "Qualified", env=HERE), alias="live", content_access=ContentAccess.UPDATE)
    new_rule(Stack(app, "QualifiedAsynchronous", env=HERE), alias="live", run=Run.asynchronous(), retry_attempts=0)
    network = Stack(app, "Network", env=HERE)
    vpc = Vpc.from_vpc_attributes(
        network,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-west-1a"],
        private_subnet_ids=["subnet-1"],
    )
    new_rule(network, vpc=vpc, content_access=ContentAccess.READ)
    traced = Stack(app, "Traced", env=HERE)
    new_rule(traced, tracing=Tracing.ACTIVE, log_encryption_key=Key(traced, "Key", enable_key_rotation=True))
    new_rule(
        Stack(app, "Removed", env=HERE),
        content_access=ContentAccess.UPDATE,
        log_removal_policy=RemovalPolicy.DESTROY,
        message_bucket_removal_policy=RemovalPolicy.DESTROY,
        message_bucket_auto_delete_objects=True,
    )
    owner, user = Stack(app, "Owner", env=HERE), Stack(app, "User", env=HERE)
    shared = new_rule(owner, content_access=ContentAccess.UPDATE).function
    new_rule(user)
    new_rule(user, "Shared", function=shared, content_access=ContentAccess.UPDATE, senders=["shared.example"])
    operator = Stack(app, "Operator", env=HERE)
    organization = WorkMailOrganization.from_organization_id(operator, "Organization", ORGANIZATION_ID)
    FlowRuleOperatorPolicy(operator, "Operator", organization=organization)
    for name, env, logged_id in (("EventLog", HERE, ORGANIZATION_ID), ("AgnosticEventLog", None, "m-" + "0" * 32)):
        logged = Stack(app, name, env=env)
        of_log = WorkMailOrganization.from_organization_id(logged, "Organization", logged_id)
        events = EmailEventLogging(logged, "Events", organization=of_log)
        events.add_alarms(Topic.from_topic_arn(logged, "OnCall", f"arn:aws:sns:{PLACE}:on-call"))
        EmailFlowRules.of(logged).drop(
            'Früh: "50%" \\ *', organization=of_log, direction="INBOUND", senders=["a.example"], destinations=["*"]
        )
    for name, env in (("Watched", HERE), ("AgnosticWatched", None)):
        watched = Stack(app, name, env=env)
        rules = [new_rule(watched, "Waits"), new_rule(watched, "Beside", run=Run.asynchronous(), senders=["b.example"])]
        on_call = Topic.from_topic_arn(watched, "OnCall", f"arn:aws:sns:{PLACE}:on-call")
        alarms = [alarm for each in rules for alarm in each.add_alarms(on_call).all]
        WorkMailDashboard(watched, "Dashboard", organization=rules[0].organization, alarms=alarms)
    new_rule(Stack(app, "OnceSteps", env=HERE), code=None, steps=[OwnStep(OWN_STEP, function="step.charge", once=True)])
    editing = [Translate("en"), SubjectPrefix("[EXT]"), Banner("Care"), Footer("Example Ltd")]
    new_rule(Stack(app, "Editing", env=HERE), code=None, steps=editing)
    notify = Stack(app, "Notify", env=HERE)
    bus = EventBus.from_event_bus_name(notify, "Bus", "mail")
    secret = Secret.from_secret_complete_arn(notify, "Webhook", f"arn:aws:secretsmanager:{PLACE}:secret:Webhook-AbCdEf")
    steps: list[Step] = [PublishEvent(bus), NotifyChat(Slack("Mail"), webhook=secret)]
    for name in ("Standard", "Express"):
        machine = StateMachine.from_state_machine_arn(notify, name, f"arn:aws:states:{PLACE}:stateMachine:{name}")
        steps.append(AskStateMachine(machine, type=StateMachineType[name.upper()], name=name))
    new_rule(notify, code=None, steps=steps)
    limits = Stack(app, "InboundLimits", env=HERE)
    topic = Topic(limits, "UsersTopic", enforce_ssl=True, master_key=Key(limits, "Key", enable_key_rotation=True))
    limit = LimitRate(
        addresses=["all@example.com"], per_minute=20, then=Bounce("Too many."), alarm_actions=[SnsAction(topic)]
    )
    restrict = RestrictMailboxes("interns@example.com")
    new_rule(limits, code=None, steps=[limit, restrict])
    find = FindSensitive(then=Bounce("No."))
    new_rule(Stack(app, "OutboundLimits", env=HERE), direction="OUTBOUND", code=None, steps=[restrict, find])
    filters = Stack(app, "Filters", env=HERE)
    saved = Bucket.from_bucket_name(filters, "Archive", "archive")
    new_rule_of(filters, SaveMessage(saved), AllowOrBlock(), FilterByHeader("X-Spam", "YES"))
    return app


def synthesize(outdir: Path) -> Path:
    """Synthesize the app in another process, since CDK runs without its validation in this one."""
    subprocess.run(
        [sys.executable, "-m", "tests.constructs.checked_app", str(outdir)],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"},
        check=False,  # cdk-nag fails the synth for accepted findings too
        capture_output=True,
    )
    return outdir


if __name__ == "__main__":
    app = build(sys.argv[1])
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    app.synth()
