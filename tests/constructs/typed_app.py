# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What users write with a rule's parts. `make lint` reads it with both type checkers in their strictest mode.

A comment that ignores an error is an error itself where the checker finds none: so the mistakes below are found.
"""

from __future__ import annotations

from typing import assert_type

from aws_cdk import App, Duration, Environment, RemovalPolicy, Stack
from aws_cdk.aws_cloudwatch import Alarm
from aws_cdk.aws_cloudwatch_actions import OpsItemSeverity, SsmAction
from aws_cdk.aws_codedeploy import LambdaDeploymentGroup
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table
from aws_cdk.aws_ec2 import SecurityGroup, Vpc
from aws_cdk.aws_iam import Role
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Alias, Code, Function, IFunction, LayerVersion, Runtime
from aws_cdk.aws_s3 import Bucket
from aws_cdk.aws_sns import Topic

from tests.constructs.stacks import HANDLER
from workmail_constructs import (
    ContentAccess,
    EmailEventLogging,
    EmailFlowRules,
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailOrganization,
)

TOPIC = "arn:aws:sns:eu-west-1:111122223333:on-call"
LAYER = "arn:aws:lambda:eu-west-1:111122223333:layer:texts"


class Mail(Stack):
    """A stack as a user writes it."""

    rule: RunLambdaRule
    """Of a function that is made, unless said otherwise."""
    other: RunLambdaRule[IFunction]

    def __init__(self, scope: App) -> None:
        super().__init__(scope, "Mail", env=Environment(region="eu-west-1", account="111122223333"))
        organization = WorkMailOrganization.from_organization_id(self, "Org", "m-0123456789abcdef0123456789abcdef")
        run = Run.synchronous(fallback=FallbackAction.DEFAULT, rule_timeout=Duration.minutes(30))
        key = Key(self, "Key", enable_key_rotation=True)
        vpc = Vpc(self, "Vpc")
        made = RunLambdaRule(
            self,
            "Made",
            organization=organization,
            direction=FlowDirection.INBOUND,
            run=run,
            code=RuleCode.from_folder(HANDLER),
            content_access=ContentAccess.UPDATE,
            description="Says hello",
            owner="Ann",
            message_key=key,
            environment_encryption=key,
            log_encryption_key=key,
            layers=[LayerVersion.from_layer_version_arn(self, "Layer", f"{LAYER}:1")],
            role=Role.from_role_name(self, "Role", "mail"),
            vpc=vpc,
            security_groups=[SecurityGroup(self, "Group", vpc=vpc)],
            alias="live",
        )
        self.rule = made
        assert_type(made, RunLambdaRule[Function])
        assert_type(made.function, Function)
        assert_type(made.alias, Alias)
        made.function.add_environment("BANNER", "External")
        made.function.add_layers(LayerVersion.from_layer_version_arn(self, "More", f"{LAYER}:2"))
        made.function.current_version.apply_removal_policy(RemovalPolicy.RETAIN)
        made.message_bucket.apply_removal_policy(RemovalPolicy.DESTROY)
        made.log_group.apply_removal_policy(RemovalPolicy.DESTROY)
        LambdaDeploymentGroup(self, "Deployment", alias=made.alias)
        table = Table(self, "Table", partition_key=Attribute(name="id", type=AttributeType.STRING))
        table.grant_read_data(made)
        Alarm(self, "Alarm", metric=made.metric_errors(), threshold=1, evaluation_periods=1)
        topic = Topic(self, "OnCall")
        alarms = made.add_alarms(
            topic, SsmAction(OpsItemSeverity.HIGH), Topic.from_topic_arn(self, "Imported topic", TOPIC)
        )
        assert_type(alarms.errors, Alarm | None)

        events = EmailEventLogging(
            self, "Events", organization=organization, log_encryption_key=key, log_removal_policy=RemovalPolicy.DESTROY
        )
        watched = events.add_alarms(topic, hours_without_rule=24, hours_by_rule={"Given": None})
        assert_type(watched.incoming_bounces, Alarm | None)
        Alarm(self, "Spam", metric=events.metric_rule_applied("Spam"), threshold=100, evaluation_periods=1)
        events.log_group.grant_read(made)

        words = RunLambdaRule(
            self,
            "Words",
            organization=organization,
            direction="OUTBOUND",
            run=Run.synchronous(fallback="DROP"),
            code=RuleCode.from_folder(HANDLER),
            content_access="READ",
        )
        assert_type(words.function, Function)

        function = Function(
            self, "Function", runtime=Runtime.NODEJS_22_X, handler="index.handler", code=Code.from_inline("x")
        )
        given = RunLambdaRule(
            self, "Given", organization=organization, direction="INBOUND", run=Run.asynchronous(), function=function
        )
        assert_type(given.function, Function)
        aliased = RunLambdaRule(
            self,
            "Aliased",
            organization=organization,
            direction="INBOUND",
            run=run,
            function=function.add_alias("live"),
            message_bucket=Bucket(self, "Bucket", enforce_ssl=True),
            content_access="UPDATE",
        )
        assert_type(aliased.function, Alias)
        imported = Function.from_function_arn(self, "Import", "arn:aws:lambda:eu-west-1:111122223333:function:mail")
        self.other = RunLambdaRule(
            self, "Imported", organization=organization, direction="INBOUND", run=run, function=imported
        )
        assert_type(self.other.function, IFunction)
        if self.other.on_failure_queue is not None:
            self.other.on_failure_queue.grant_consume_messages(made)
        EmailFlowRules.of(self).drop(
            "Spam",
            organization=organization,
            direction="INBOUND",
            senders=["spam.example"],
            destinations=["*"],
            description="Known spammers",
            owner="Ann",
        )


def mistakes(stack: Stack, organization: WorkMailOrganization, run: Run, function: Function, code: RuleCode) -> None:
    """Do what the type checkers are to find."""
    RunLambdaRule(stack, "Neither", organization=organization, direction="INBOUND", run=run)  # type: ignore[call-overload]
    RunLambdaRule(  # type: ignore[call-overload]
        stack, "Both", organization=organization, direction="INBOUND", run=run, function=function, memory_size=512
    )
    RunLambdaRule(stack, "Word", organization=organization, direction="IN", run=run, code=code)  # type: ignore[call-overload]
    EmailEventLogging(stack, "Text", organization="m-0123456789abcdef0123456789abcdef")  # type: ignore[arg-type]
    Run.synchronous(fallback="JUNK")  # type: ignore[arg-type]


if __name__ == "__main__":
    app = App()
    Mail(app)
    app.synth()
