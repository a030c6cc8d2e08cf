"""docs/permissions.md: every IAM statement that each construct makes, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_cdk.assertions import Template
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table
from aws_cdk.aws_ec2 import SecurityGroup, Vpc
from aws_cdk.aws_events import EventBus
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Tracing
from aws_cdk.aws_s3 import Bucket, BucketEncryption
from aws_cdk.aws_secretsmanager import Secret
from aws_cdk.aws_stepfunctions import IStateMachine, StateMachine, StateMachineType

from tests.constructs.checked_app import OWN_STEP
from tests.constructs.pages import WRITE, table
from tests.constructs.stacks import ORGANIZATION_ID, new_function, new_rule, new_stack
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
from workmail_constructs.flow_rule_operator_policy import FLOW_RULE_OPERATOR_ACTIONS
from workmail_constructs.rule_function import LOG_KEY_ACTIONS, NETWORK_ACTIONS
from workmail_constructs.steps.allow_or_block import AllowOrBlock
from workmail_constructs.steps.ask_state_machine import AskStateMachine
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.chat import Slack
from workmail_constructs.steps.decision import Bounce
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
from workmail_constructs.testing.template_policies import TemplatePolicies
from workmail_flow.arns import DELETE_EVENT_LOGGING, DESCRIBE_EVENT_LOGGING, PUT_EVENT_LOGGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aws_cdk import Stack

    from workmail_constructs.steps.step import Step

NAME = "permissions.md"

REASONS: dict[tuple[str, ...], str] = {
    (
        "role's trust policy",
        "Allow",
        "sts:AssumeRole",
        "lambda.amazonaws.com",
    ): "Lambda runs the function with this role; nobody else can.",
    (
        "role's trust policy",
        "Allow",
        "sts:AssumeRole",
        "events.workmail.amazonaws.com",
    ): "WorkMail writes its event log with this role (W2); nobody else can.",
    ("role's policy", "Allow", "logs:CreateLogStream", "logs:PutLogEvents"): (
        "Write a log, in this log group only. Lambda's managed policy would allow every log group of the account."
    ),
    ("role's policy", "Allow", "workmailmessageflow:GetRawMessageContent"): (
        "Fetch message content, of this organization and direction only (C3)."
    ),
    (
        "role's policy",
        "Allow",
        "workmailmessageflow:GetRawMessageContent",
        "workmailmessageflow:PutRawMessageContent",
    ): "Fetch and replace message content, of this organization and direction only (C3).",
    (
        "role's policy",
        "Allow",
        "s3:PutObject",
    ): (
        "Put the updated message where WorkMail reads it (C1), or the message that `SaveMessage` saves; not read, not "
        "delete."
    ),
    ("role's policy", "Allow", "kms:GenerateDataKey"): "S3 needs it of whoever puts an object that this key encrypts.",
    ("role's policy", "Allow", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"): (
        "Lambda sends the events that failed for good to the on-failure queue, with the function's role."
    ),
    ("function's policy", "Allow", "lambda:InvokeFunction"): (
        "WorkMail of this Region runs the function, for this organization only (L4). Without the source ARN any "
        "organization could."
    ),
    ("bucket policy", "Allow", "s3:GetObject", "s3:GetObjectVersion"): (
        "WorkMail reads updated messages, under the documented conditions (C5)."
    ),
    ("bucket policy", "Deny", "s3:*", "aws:SecureTransport"): "Nobody reads or writes messages without TLS.",
    ("bucket policy", "Deny", "s3:*", "s3:TlsVersion"): "Nor with a TLS version before 1.2.",
    ("key policy", "Allow", "kms:Decrypt"): (
        "S3 needs it of WorkMail to read an object that this key encrypts; for this account and organization only."
    ),
    ("queue policy", "Deny", "sqs:*", "aws:SecureTransport"): "Nobody reads or writes failed events without TLS.",
    ("role's policy", "Allow", "sqs:SendMessage"): (
        "Lambda sends the events that failed for good to the on-failure queue, with the function's role."
    ),
    ("role's policy", "Allow", *NETWORK_ACTIONS): (
        "Lambda puts the function into your VPC with the function's role. It refuses a role that may do this for some "
        "network interfaces only: they do not exist yet. Lambda's managed policy would also allow every log group."
    ),
    ("role's policy", "Allow", "xray:PutTelemetryRecords", "xray:PutTraceSegments"): (
        "CDK adds it for tracing; X-Ray has no resources to name."
    ),
    ("role's policy", "Allow", "workmail:ListOrganizations"): (
        "Find the organization with an alias during a deployment (L8). The action takes no resource; the condition "
        "keeps it in the stack's Region."
    ),
    (
        "role's policy",
        "Allow",
        *sorted((DELETE_EVENT_LOGGING, DESCRIBE_EVENT_LOGGING, PUT_EVENT_LOGGING)),
    ): (
        "Turn the organization's event log on and off, and see first whether somebody else's is there (W2). The rights "
        "are in a policy of their own, which lasts until the log is off."
    ),
    ("role's policy", "Allow", "iam:PassRole"): (
        "Whoever names a role to a service has to be allowed to pass it: this one role, to WorkMail's event log only."
    ),
    ("key policy", "Allow", *sorted(LOG_KEY_ACTIONS)): (
        "CloudWatch Logs encrypts with the key, for log groups of this account. A log group names its key, so the key "
        "cannot name that one log group."
    ),
    ("managed policy", "Allow", *sorted(FLOW_RULE_OPERATOR_ACTIONS)): (
        "What the console does on its pages of email flow rules, for this organization. No public API has these "
        "actions (L7), but IAM checks them."
    ),
    ("role's policy", "Allow", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"): (
        "Steps write down what they did once for an invocation (E7), in the rule's own table."
    ),
    ("role's policy", "Allow", "comprehend:DetectDominantLanguage", "translate:TranslateText"): (
        "Translate a text whose language Amazon Translate finds out with Amazon Comprehend. Neither action takes a "
        "resource; the condition keeps both in the stack's Region."
    ),
    ("role's policy", "Allow", "events:PutEvents"): "Publish events on this bus.",
    ("role's policy", "Allow", "secretsmanager:GetSecretValue"): "Read the webhook's URL.",
    ("role's policy", "Allow", "kms:Decrypt"): (
        "Secrets Manager and DynamoDB need it of whoever reads a secret or a table that your key encrypts; through "
        "that service only."
    ),
    ("role's policy", "Allow", "states:StartExecution"): "Ask this state machine.",
    ("role's policy", "Allow", "states:StartSyncExecution"): "Ask this state machine, and get its answer.",
    ("role's policy", "Allow", "states:DescribeExecution"): (
        "See what an execution has decided. Each is named by its invocation, which is not known before a message comes."
    ),
    ("role's policy", "Allow", "dynamodb:UpdateItem"): (
        "`LimitRate` counts messages in its own table. The answer of the update shows the counts, so nothing is read."
    ),
    ("role's policy", "Allow", "workmail:DescribeEntity", "workmail:ListAliases", "workmail:ListGroupMembers"): (
        "`RestrictMailboxes` reads who is in the group, in this organization only (D1, D2)."
    ),
    (
        "role's policy",
        "Allow",
        "workmail:DescribeEntity",
        "workmail:ListAliases",
        "workmail:ListGroupMembers",
        "workmail:ListMailDomains",
    ): (
        "`RestrictMailboxes` reads who is in the group, and the mail domains, which nobody named, in this organization "
        "only (D1, D2)."
    ),
    ("role's policy", "Allow", "dynamodb:BatchGetItem"): (
        "`AllowOrBlock` looks up the items that can match an address, by their keys; no scan and no query."
    ),
}
"""Why each kind of statement is made: by policy, effect and actions, for a denial by its condition keys too, and for a
trust policy by whom it trusts."""

_INTRODUCTION = f"""\
# Permissions

This page is generated by `{WRITE}`, and a test compares it with what the constructs make. It
lists every IAM statement of each construct: identity policies, trust policies, and the policies of functions, buckets,
queues and keys. What is yours already, such as the key that you bring, is not listed. Numbers in brackets are facts of
[What WorkMail does](workmail.md).

The rule is called `Rule` and is inbound, so its messages are `incoming`; those of an outbound one are `outgoing` (C3).
`REGION`, `ACCOUNT` and `ORGANIZATION_ID` are those of its stack and organization."""


@dataclass(frozen=True, slots=True)
class Case:
    """A construct with certain arguments; what a user brings is made first, and is not listed."""

    construct: str
    title: str
    build: Callable[[Stack, dict[str, Any]], object]
    bring: Callable[[Stack], dict[str, Any]] = field(default=lambda _: {})


def _rule(**arguments: Any) -> Callable[[Stack, dict[str, Any]], object]:
    return lambda stack, brought: new_rule(stack, **arguments, **brought)


def _organization(stack: Stack, brought: dict[str, Any]) -> WorkMailOrganization:
    return WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID, **brought)


def _alias(stack: Stack, brought: dict[str, Any]) -> WorkMailOrganization:
    return WorkMailOrganization.from_alias(stack, "Organization", "acme", **brought)


def _event_logging(stack: Stack, brought: dict[str, Any]) -> None:
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    EmailEventLogging(stack, "Events", organization=organization, **brought)


def _dashboard(stack: Stack, brought: dict[str, Any]) -> None:
    WorkMailDashboard(stack, "Dashboard", organization=_organization(stack, brought))


def _plain_rule(stack: Stack, brought: dict[str, Any]) -> None:
    organization = _organization(stack, brought)
    EmailFlowRules.of(stack).move_to_junk("Junk", organization=organization, senders=["a.example"], destinations=["*"])


def _operator(stack: Stack, brought: dict[str, Any]) -> None:
    FlowRuleOperatorPolicy(stack, "Operator", organization=_organization(stack, brought))


def _steps(step: Callable[[dict[str, Any]], Step]) -> Callable[[Stack, dict[str, Any]], object]:
    return lambda stack, brought: new_rule(stack, code=None, steps=[step(brought)])


def _machine(stack: Stack) -> IStateMachine:
    return StateMachine.from_state_machine_arn(stack, "Machine", "arn:aws:states:REGION:ACCOUNT:stateMachine:Machine")


def _save_message(stack: Stack, brought: dict[str, Any]) -> None:
    new_rule_of(stack, SaveMessage(brought["bucket"], prefix="mail/"))


def _allow_or_block(stack: Stack, brought: dict[str, Any]) -> None:
    new_rule_of(stack, AllowOrBlock(**brought))


def _encrypted_bucket(stack: Stack) -> dict[str, Any]:
    key = Key(stack, "Key")
    return {"bucket": Bucket(stack, "Bucket", encryption=BucketEncryption.KMS, encryption_key=key)}


def _encrypted_table(stack: Stack) -> dict[str, Any]:
    partition_key = Attribute(name="pattern", type=AttributeType.STRING)
    return {"table": Table(stack, "Table", partition_key=partition_key, encryption_key=Key(stack, "Key"))}


UPDATE = ContentAccess.UPDATE
LIMIT_RATE = LimitRate(addresses=["all@example.com"], per_minute=20, then=Bounce("Too many messages."))
CASES = (
    Case("RunLambdaRule", "Synchronous, `ContentAccess.NONE`", _rule()),
    Case("RunLambdaRule", "Synchronous, `ContentAccess.READ`", _rule(content_access=ContentAccess.READ)),
    Case("RunLambdaRule", "Synchronous, `ContentAccess.UPDATE`", _rule(content_access=UPDATE)),
    Case(
        "RunLambdaRule",
        "Synchronous, `ContentAccess.UPDATE`, with your KMS key as `message_key`",
        _rule(content_access=UPDATE),
        lambda stack: {"message_key": Key(stack, "Key")},
    ),
    Case(
        "RunLambdaRule",
        "Synchronous, `ContentAccess.UPDATE`, with your bucket as `message_bucket`",
        _rule(content_access=UPDATE),
        lambda stack: {"message_bucket": Bucket(stack, "Bucket")},
    ),
    Case("RunLambdaRule", "Asynchronous, `ContentAccess.NONE`", _rule(run=Run.asynchronous())),
    Case(
        "RunLambdaRule",
        "Asynchronous, `ContentAccess.READ`",
        _rule(run=Run.asynchronous(), content_access=ContentAccess.READ),
    ),
    Case(
        "RunLambdaRule",
        "Synchronous, `ContentAccess.UPDATE`, with your function as `function`",
        _rule(content_access=UPDATE),
        lambda stack: {"function": new_function(stack)},
    ),
    Case(
        "RunLambdaRule",
        "Asynchronous, with your function as `function`",
        _rule(run=Run.asynchronous()),
        lambda stack: {"function": new_function(stack)},
    ),
    Case(
        "RunLambdaRule",
        "Synchronous, with an `alias`",
        _rule(alias="live"),
    ),
    Case(
        "RunLambdaRule",
        "Synchronous, with your `vpc`",
        _rule(),
        lambda stack: {"vpc": (vpc := Vpc(stack, "Vpc")), "security_groups": [SecurityGroup(stack, "Group", vpc=vpc)]},
    ),
    Case("RunLambdaRule", "Synchronous, with `tracing`", _rule(tracing=Tracing.ACTIVE)),
    Case(
        "RunLambdaRule",
        "Synchronous, with your KMS key as `log_encryption_key`",
        _rule(),
        lambda stack: {"log_encryption_key": Key(stack, "Key")},
    ),
    Case("FlowRuleOperatorPolicy", "For whoever types the rules into the console", _operator),
    Case("EmailEventLogging", "With CloudWatch Logs' own key", _event_logging),
    Case(
        "EmailEventLogging",
        "With your KMS key as `log_encryption_key`",
        _event_logging,
        lambda stack: {"log_encryption_key": Key(stack, "Key")},
    ),
    Case("EmailFlowRules", "Rules that run no function", _plain_rule),
    Case("WorkMailDashboard", "Any", _dashboard),
    Case("WorkMailOrganization", "`from_alias`", _alias),
    Case("WorkMailOrganization", "`from_organization_id`, `from_organization_arn`", _organization),
    Case(
        "Steps",
        "`OwnStep` with `once`; other steps that do something once share the table",
        _rule(code=None, steps=[OwnStep(OWN_STEP, function="step.charge", once=True)]),
    ),
    Case(
        "Steps",
        "`SubjectPrefix`, `Banner`, `Footer`",
        _rule(code=None, steps=[SubjectPrefix("[EXT]"), Banner("Care"), Footer("Example Ltd")]),
    ),
    Case("Steps", "`Translate`", _rule(code=None, steps=[Translate("en")])),
    Case(
        "Steps",
        "`PublishEvent`",
        _steps(lambda brought: PublishEvent(**brought)),
        lambda stack: {"bus": EventBus(stack, "Bus")},
    ),
    Case(
        "Steps",
        "`NotifyChat`, with a secret that your KMS key encrypts",
        _steps(lambda brought: NotifyChat(Slack("Mail"), **brought)),
        lambda stack: {"webhook": Secret(stack, "Webhook", encryption_key=Key(stack, "Key"))},
    ),
    Case(
        "Steps",
        "`AskStateMachine`, standard",
        _steps(lambda brought: AskStateMachine(**brought)),
        lambda stack: {"state_machine": _machine(stack)},
    ),
    Case(
        "Steps",
        "`AskStateMachine`, express",
        _steps(lambda brought: AskStateMachine(**brought)),
        lambda stack: {"state_machine": _machine(stack), "type": StateMachineType.EXPRESS},
    ),
    Case("Steps", "`LimitRate`", _rule(code=None, steps=[LIMIT_RATE])),
    Case(
        "Steps",
        "`RestrictMailboxes`",
        _rule(code=None, steps=[RestrictMailboxes("interns@example.com")]),
    ),
    Case(
        "Steps",
        "`RestrictMailboxes`, with `domains` of the organization",
        _rule(code=None, steps=[RestrictMailboxes("interns@example.com")]),
        lambda stack: {
            "organization": WorkMailOrganization.from_organization_id(
                stack, "Organization", ORGANIZATION_ID, domains=["example.com"]
            )
        },
    ),
    Case(
        "Steps",
        "`FindSensitive` that refuses; with a `tag` it has the rights of `ContentAccess.UPDATE`",
        _rule(code=None, direction="OUTBOUND", steps=[FindSensitive(then=Bounce("No."))]),
    ),
    Case("Steps", "`SaveMessage`, with your bucket and its KMS key", _save_message, _encrypted_bucket),
    Case("Steps", "`AllowOrBlock`, with the table that is made", _allow_or_block),
    Case("Steps", "`AllowOrBlock`, with your table and its KMS key", _allow_or_block, _encrypted_table),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one policy, in words."""

    policy: str
    effect: str
    who: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, str], ...]
    """Operator, key and value."""

    @property
    def reason_key(self) -> tuple[str, ...]:
        """What `REASONS` lists it by."""
        keys = (key for _, key, _ in self.conditions) if self.effect == "Deny" else ()
        trusted = (self.who,) if self.policy == "role's trust policy" else ()
        return (self.policy, self.effect, *sorted(self.actions), *keys, *trusted)


def statements(case: Case) -> list[Statement]:
    """Return the statements that a construct makes or adds to what the user brings."""
    without, with_it = new_stack(env=None), new_stack(env=None)
    case.bring(without)
    case.build(with_it, case.bring(with_it))
    before = list(_statements(Template.from_stack(without).to_json()))
    return [each for each in _statements(Template.from_stack(with_it).to_json()) if each not in before]


def page() -> str:
    """Return the page."""
    chapters = [_INTRODUCTION]
    construct = ""
    constructs = list(dict.fromkeys(case.construct for case in CASES))
    for case in sorted(CASES, key=lambda case: constructs.index(case.construct)):
        if case.construct != construct:
            construct = case.construct
            chapters.append(f"## {construct}")
        chapters.append(f"### {case.title}")
        rows = [_row(each) for each in statements(case)]
        head = ["policy", "effect", "who", "actions", "on", "conditions", "why"]
        chapters.append(table(head, rows) if rows else "No statement.")
    return "\n\n".join(chapters) + "\n"


def _row(each: Statement) -> tuple[str, ...]:
    return (
        each.policy,
        each.effect,
        _code(each.who) if "." in each.who else each.who,
        "<br>".join(map(_code, each.actions)),
        "<br>".join(map(_code, each.resources)),
        "<br>".join(f"{operator} {_code(key)} {_code(value)}" for operator, key, value in each.conditions),
        REASONS.get(each.reason_key, ""),
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _statements(template: Mapping[str, Any]) -> Iterator[Statement]:
    policies = TemplatePolicies(template, region="REGION", account="ACCOUNT")
    for resource in template.get("Resources", {}).values():
        properties = policies.resolved(resource.get("Properties", {}))
        if resource["Type"] in _POLICIES:
            policy, document = _POLICIES[resource["Type"]]
            yield from _of_document(policy, properties[document])
        for inline in properties.get("Policies", ()):
            yield from _of_document("role's policy", inline["PolicyDocument"])
        for arn in properties.get("ManagedPolicyArns", ()):
            yield Statement("role's policy", "Allow", "its holder", (f"all of {arn}",), (), ())
    for of_function in policies.function_policies().values():
        yield from _of_document("function's policy", {"Statement": of_function})


_POLICIES = {
    "AWS::IAM::ManagedPolicy": ("managed policy", "PolicyDocument"),
    "AWS::IAM::Policy": ("role's policy", "PolicyDocument"),
    "AWS::IAM::Role": ("role's trust policy", "AssumeRolePolicyDocument"),
    "AWS::KMS::Key": ("key policy", "KeyPolicy"),
    "AWS::S3::BucketPolicy": ("bucket policy", "PolicyDocument"),
    "AWS::SQS::QueuePolicy": ("queue policy", "PolicyDocument"),
}


def _of_document(policy: str, document: dict[str, Any]) -> Iterator[Statement]:
    for statement in document["Statement"]:
        yield Statement(
            policy,
            statement["Effect"],
            _who(statement.get("Principal")),
            _listed(statement["Action"]),
            tuple(map(_named, _listed(statement.get("Resource", [])))),
            tuple(
                (operator, key, _named(" or ".join(_listed(value))))
                for operator, block in statement.get("Condition", {}).items()
                for key, value in block.items()
            ),
        )


def _who(principal: Any) -> str:
    match principal:
        case None:
            return "its holder"
        case "*" | {"AWS": "*"}:
            return "everyone"
        case dict():
            return ", ".join(_named(name) for value in principal.values() for name in _listed(value))
    return str(principal)


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def _named(text: str) -> str:
    """Name the organization as the docs do, and resources without the hash of their path."""
    text = text.replace(ORGANIZATION_ID, "ORGANIZATION_ID")
    return re.sub(r"(?<=[A-Za-z])[0-9A-F]{8}(?![0-9A-Za-z])", "", text)
