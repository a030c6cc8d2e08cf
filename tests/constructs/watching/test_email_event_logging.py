"""WorkMail's event log: what turns it on, what counts it, who may do what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Aspects, CfnParameter, Duration, Environment, IAspect, NestedStack, RemovalPolicy, Stack, Stage
from aws_cdk.assertions import Template
from aws_cdk.aws_kms import Key
from aws_cdk.aws_logs import RetentionDays
from jsii import implements

from tests.constructs.stacks import (
    ACCOUNT,
    HERE,
    ORGANIZATION_ARN,
    ORGANIZATION_ID,
    REGION,
    changes,
    errors_of,
    new_rule,
    new_stack,
    only,
    properties_of,
    statements_of,
    warnings_of,
)
from tests.constructs.test_logical_ids import identities
from workmail_constructs import EmailEventLogging, EmailFlowRules, FlowDirection, WorkMailOrganization
from workmail_constructs.watching.email_event_queries import EMAIL_EVENT_QUERIES
from workmail_flow.email_event_metrics import rule_pattern
from workmail_flow.limits import LOG_GROUP_ARN_PATTERN, ROLE_ARN_PATTERN

if TYPE_CHECKING:
    from aws_cdk.aws_cloudwatch import Metric
    from constructs import IConstruct
    from syrupy.assertion import SnapshotAssertion

LOGGING = "Custom::WorkMailEmailEventLogging"
FILTER = "AWS::Logs::MetricFilter"
OTHER_ID = "m-fedcba9876543210fedcba9876543210"


def organization_of(scope: Any, name: str = "Organization", organization_id: str = ORGANIZATION_ID) -> Any:
    return WorkMailOrganization.from_organization_id(scope, name, organization_id)


def new_events(scope: Any, name: str = "Events", organization: Any = None, **options: Any) -> EmailEventLogging:
    return EmailEventLogging(scope, name, organization=organization or organization_of(scope), **options)


def declare(scope: Any, name: str, organization: WorkMailOrganization) -> None:
    EmailFlowRules.of(scope).drop(
        name, direction=FlowDirection.INBOUND, senders=["a.example"], destinations=["*"], organization=organization
    )


def counted(stack: Stack) -> dict[str, str]:
    """What is counted: filter patterns by the metrics' names."""
    found = {}
    for each in properties_of(stack, FILTER):
        (transformation,) = each["MetricTransformations"]
        found[transformation["MetricName"]] = each["FilterPattern"]
    return found


def logical_id(stack: Stack, resource_type: str, begin: str) -> str:
    (found,) = (each for each in Template.from_stack(stack).find_resources(resource_type) if each.startswith(begin))
    return found


def test_the_template(template_snapshot: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    new_events(stack).add_alarms()

    assert stack == template_snapshot


# Turning it on


@pytest.mark.fact("W2")
def test_one_statement_logs_to_a_log_group_of_its_own() -> None:
    stack = new_stack()
    new_events(stack)
    group, role = logical_id(stack, "AWS::Logs::LogGroup", "Events"), logical_id(stack, "AWS::IAM::Role", "Events")
    function = logical_id(stack, "AWS::Lambda::Function", "WorkMailEmailEventLogging")

    assert only(stack, LOGGING) == {
        "ServiceToken": {"Fn::GetAtt": [function, "Arn"]},
        "ServiceTimeout": "600",
        "OrganizationId": ORGANIZATION_ID,
        "LogGroupArn": {"Fn::GetAtt": [group, "Arn"]},
        "RoleArn": {"Fn::GetAtt": [role, "Arn"]},
        "Overwrite": False,
    }
    template = Template.from_stack(stack).to_json()["Resources"]
    assert template[group]["Properties"] == {"RetentionInDays": 30}
    assert template[group]["DeletionPolicy"] == "Retain"


@pytest.mark.fact("W2")
def test_workmail_may_write_to_the_log_group_and_do_nothing_else() -> None:
    stack = new_stack()
    new_events(stack)
    role = logical_id(stack, "AWS::IAM::Role", "Events")
    resources = Template.from_stack(stack).to_json()["Resources"]
    (policy,) = (
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy" and each["Properties"]["Roles"] == [{"Ref": role}]
    )

    assert resources[role]["Properties"]["AssumeRolePolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.workmail.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    assert "ManagedPolicyArns" not in resources[role]["Properties"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": [logical_id(stack, "AWS::Logs::LogGroup", "Events"), "Arn"]},
        }
    ]


@pytest.mark.fact("L3", "W2")
def test_the_function_may_change_this_organization_and_pass_this_role_to_workmail() -> None:
    stack = new_stack()
    new_events(stack)

    assert [each for each in statements_of(stack) if "logs:PutLogEvents" not in each["Action"]] == [
        {
            "Effect": "Allow",
            "Action": [
                "workmail:DescribeEmailMonitoringConfiguration",
                "workmail:PutEmailMonitoringConfiguration",
                "workmail:DeleteEmailMonitoringConfiguration",
            ],
            "Resource": ORGANIZATION_ARN,
        },
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": {"Fn::GetAtt": [logical_id(stack, "AWS::IAM::Role", "Events"), "Arn"]},
            "Condition": {"StringEquals": {"iam:PassedToService": "events.workmail.amazonaws.com"}},
        },
    ]


def test_the_rights_are_there_before_logging_is_turned_on_and_until_it_is_off() -> None:
    stack = new_stack()
    new_events(stack)
    ((_, resource),) = Template.from_stack(stack).find_resources(LOGGING).items()

    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    assert {each for each in policies if each.startswith("Events")} < set(resource["DependsOn"])


@pytest.mark.fact("W2")
def test_the_options_of_the_log_group_and_of_taking_over() -> None:
    stack = new_stack()
    events = new_events(
        stack,
        log_retention=RetentionDays.ONE_YEAR,
        log_removal_policy=RemovalPolicy.DESTROY,
        log_encryption_key=Key(stack, "Key"),
        overwrite=True,
    )
    group = Template.from_stack(stack).to_json()["Resources"][logical_id(stack, "AWS::Logs::LogGroup", "Events")]

    assert group["Properties"]["RetentionInDays"] == 365
    assert group["Properties"]["KmsKeyId"] == {"Fn::GetAtt": [logical_id(stack, "AWS::KMS::Key", "Key"), "Arn"]}
    assert group["DeletionPolicy"] == "Delete"
    assert only(stack, LOGGING)["Overwrite"] is True
    assert events.log_group.node.path == "Mail/Events/LogGroup"


def test_a_key_is_opened_to_logs_once_for_all_its_log_groups() -> None:
    stack = new_stack()
    key = Key(stack, "Key")
    new_events(stack, log_encryption_key=key)
    new_rule(stack, log_encryption_key=key)

    statements = only(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert len([each for each in statements if "logs." in str(each["Principal"])]) == 1


def test_organizations_of_a_stack_share_the_function() -> None:
    stack = new_stack()
    first = new_events(stack, "First")
    second = new_events(stack, "Second", organization_of(stack, "Other", OTHER_ID))

    only(stack, "AWS::Lambda::Function")
    assert first.function is second.function
    assert [each["OrganizationId"] for each in properties_of(stack, LOGGING)] == [ORGANIZATION_ID, OTHER_ID]


def test_one_that_is_added_or_removed_leaves_the_rights_of_the_other_alone() -> None:
    def build(*names: str) -> dict[str, Any]:
        stack = new_stack()
        for name in names:
            new_events(stack, name, organization_of(stack, f"{name}Org", {"A": ORGANIZATION_ID, "B": OTHER_ID}[name]))
        return Template.from_stack(stack).to_json()["Resources"]

    whole, without = build("A", "B"), build("A")
    assert {name: whole[name] for name in without} == without
    assert {name for name in whole if name not in without and not name.startswith("B")} == set()


def test_another_organization_has_other_rights_and_the_former_ones_go_last() -> None:
    def build(organization_id: str) -> Stack:
        stack = new_stack()
        new_events(stack, "Events", organization_of(stack, "Organization", organization_id))
        return stack

    before, after = identities(build(ORGANIZATION_ID)), identities(build(OTHER_ID))
    changed = changes(before, after)
    assert {each[0] for each in changed} == {"+", "-"}
    assert {re.sub("[0-9a-f]{8}$", "", each[1:]) for each in changed} == {"EventsRights"}


@pytest.mark.fact("W2")
def test_one_organization_is_logged_once_in_a_stage() -> None:
    app = App()
    one, two = Stack(app, "One", env=HERE), Stack(app, "Two", env=HERE)
    new_events(one)

    for scope in (one, two):
        organization = organization_of(scope, "Again")
        with pytest.raises(
            ValueError,
            match=r"EmailEventLogging 'Second': organization: found that One/Events logs its events already",
        ):
            new_events(scope, "Second", organization)
        assert scope.node.try_find_child("Second") is None


def test_stages_log_for_themselves() -> None:
    app = App()
    stacks = [Stack(Stage(app, name), "Mail", env=HERE) for name in ("Test", "Live")]
    for stack in stacks:
        organization = organization_of(stack)
        new_events(stack, organization=organization)
        declare(stack, f"Rule of {stack.node.path}", organization)

    app.synth()
    assert [sorted(each for each in counted(stack) if "Rule" in each) for stack in stacks] == [
        ["RuleApplied Rule of Test/Mail"],
        ["RuleApplied Rule of Live/Mail"],
    ]


def test_text_in_place_of_an_organization_is_refused() -> None:
    with pytest.raises(TypeError, match=r"organization: found the text 'm-0.*'; give WorkMailOrganization\.from_"):
        EmailEventLogging(new_stack(), "Events", organization=ORGANIZATION_ID)  # type: ignore[arg-type]


# Where


@pytest.mark.fact("L1", "W2")
def test_a_region_without_workmail_is_an_error() -> None:
    stack = new_stack(Environment(region="eu-central-1", account=ACCOUNT))
    new_events(stack)

    ((_, text),) = errors_of(stack)
    assert "found a stack for WorkMail in eu-central-1; allowed: eu-west-1, us-east-1, us-west-2" in text


@pytest.mark.fact("L2", "W2")
def test_an_organization_of_another_region_or_account_is_an_error() -> None:
    stack = new_stack()
    arn = f"arn:aws:workmail:us-east-1:444455556666:organization/{ORGANIZATION_ID}"
    new_events(stack, organization=WorkMailOrganization.from_organization_arn(stack, "There", arn))

    texts = [text for path, text in errors_of(stack) if path == "/Mail/Events"]
    assert len(texts) == 2
    for text, place in zip(texts, ("Region us-east-1", "account 444455556666"), strict=True):
        assert f"found organization {ORGANIZATION_ID} of {place} in a stack of" in text
        assert "an organization logs to its own Region (W2)" in text
        assert "put EmailEventLogging into a stack of" in text


@pytest.mark.fact("L1")
def test_a_stack_without_env_is_guarded_by_cloudformation() -> None:
    app = App()
    stack = Stack(app, "Mail")
    new_events(stack)
    assembly = app.synth()

    rules = Template.from_stack(stack).to_json()["Rules"]
    assert [each for each in rules if "WorkMailRegion" in each]
    assert list(Path(assembly.directory).glob("*.email-flow-rules.md")) == []  # there is no rule to type
    assert errors_of(stack) == []


@pytest.mark.parametrize("env", [HERE, None])
def test_tokens_nested_stacks_and_organizations_of_other_stacks(env: Environment | None) -> None:
    app = App()
    shared, user = Stack(app, "Shared", env=env), Stack(app, "User", env=env)
    by_alias = WorkMailOrganization.from_alias(shared, "ByAlias", "acme")
    parameter = CfnParameter(user, "Id").value_as_string
    new_events(NestedStack(user, "Inner"), organization=by_alias)
    new_events(user, organization=organization_of(user, "ById", parameter)).add_alarms()
    declare(shared, "Of acme", by_alias)

    app.synth()
    assert user.dependencies == [shared]
    assert shared.dependencies == []
    assert errors_of(user) == []
    assert [text for _, text in warnings_of(user) if "workmail-constructs" in text] == []
    assert only(user, LOGGING)["OrganizationId"] == {"Ref": "Id"}
    (inner,) = user.node.find_child("Inner").node.find_all()[:1]
    assert isinstance(inner, NestedStack)
    assert "RuleApplied Of acme" in counted(inner)
    namespaces = {each["MetricTransformations"][0]["MetricNamespace"] for each in properties_of(inner, FILTER)}
    assert namespaces == {"WorkMailEvents/acme"}


# What is counted


@pytest.mark.fact("W3", "W4")
def test_bounces_and_the_declared_rules_are_counted_in_a_namespace_of_the_organization() -> None:
    stack = new_stack()
    organization = organization_of(stack)
    declare(stack, "Before", organization)
    events = new_events(stack, organization=organization)
    new_rule(stack, "After", organization=organization)

    assert counted(stack) == {
        "IncomingEmailBounced": '{ $.event.eventName = "INCOMING_EMAIL_BOUNCED" }',
        "OutgoingEmailBounced": '{ $.event.eventName = "OUTGOING_EMAIL_BOUNCED" }',
        "RuleApplied Before": rule_pattern("Before"),
        "RuleApplied After": rule_pattern("After"),
    }
    for each in properties_of(stack, FILTER):
        (transformation,) = each["MetricTransformations"]
        assert transformation["MetricNamespace"] == f"WorkMailEvents/{ORGANIZATION_ID}" == events.namespace
        assert (transformation["MetricValue"], transformation["DefaultValue"]) == ("1", 0)
        assert each["LogGroupName"] == {"Ref": logical_id(stack, "AWS::Logs::LogGroup", "Events")}


def test_rules_of_all_stacks_count_and_those_of_other_organizations_do_not() -> None:
    app = App()
    mail, other = Stack(app, "Mail", env=HERE), Stack(app, "Other", env=HERE)
    organization = organization_of(mail)
    new_events(mail, organization=organization)
    declare(other, "Elsewhere", organization_of(other))
    declare(NestedStack(mail, "Inner"), "Nested", organization)
    declare(mail, "Stranger", organization_of(mail, "Another", OTHER_ID))

    app.synth()
    assert {each for each in counted(mail) if "Rule" in each} == {"RuleApplied Elsewhere", "RuleApplied Nested"}
    assert properties_of(other, FILTER) == []
    assert (mail.dependencies, other.dependencies) == ([], [])


@implements(IAspect)
class DeclareLate:
    """Declares a rule while the app is being synthesized."""

    def __init__(self, organization: WorkMailOrganization) -> None:
        self._organization = organization
        self._done = False

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, Stack) and not self._done:
            self._done = True
            declare(node, "Late", self._organization)


def test_a_rule_that_an_aspect_declares_counts_too() -> None:
    app = App()
    stack = Stack(app, "Mail", env=HERE)
    organization = organization_of(stack)
    new_events(stack, organization=organization)
    Aspects.of(stack).add(DeclareLate(organization))

    app.synth()
    assert "RuleApplied Late" in counted(stack)


def test_a_name_that_is_declared_twice_is_counted_once() -> None:
    stack = new_stack()
    organization = organization_of(stack)
    new_events(stack, organization=organization).add_alarms()
    for _ in range(2):
        declare(stack, "Twice", organization)

    assert len(counted(stack)) == 3


def test_logical_ids_follow_from_the_names_of_rules_alone() -> None:
    def build(*rules: str, before: bool = True) -> dict[str, Any]:
        stack = new_stack()
        organization = organization_of(stack)
        for name in rules if before else ():
            declare(stack, name, organization)
        new_events(stack, organization=organization).add_alarms()
        for name in () if before else rules:
            declare(stack, name, organization)
        return identities(stack)

    names = ["Spam", "a/b", "a--b", "Früh", '"*"', "x" * 300]
    whole = build(*names)
    assert whole == build(*reversed(names)) == build(*names, before=False)
    for name in names:
        changed = changes(build(*(other for other in names if other != name)), whole)
        assert len(changed) == 2, changed
        assert all(each.startswith(("+EventsRule", "+EventsAlarmsRule")) for each in changed)


def test_more_rules_than_a_log_group_has_filters_are_an_error() -> None:
    stack = new_stack()
    organization = organization_of(stack)
    new_events(stack, organization=organization)
    for index in range(98):
        declare(stack, f"Rule {index}", organization)
    assert [text for _, text in errors_of(stack) if "WorkMailMetricFilters" in text] == []
    declare(stack, "One more", organization)
    declare(stack, "And one", organization)

    (text,) = (text for _, text in errors_of(stack) if "WorkMailMetricFilters" in text)
    assert "found more than 98 declared rules of organization m-0123" in text


def test_the_metrics_are_sums_and_take_cdks_options() -> None:
    stack = new_stack()
    events = new_events(stack)

    def shown(metric: Metric) -> tuple[str, str, str, int]:
        return metric.namespace, metric.metric_name, metric.statistic, int(metric.period.to_seconds())

    namespace = f"WorkMailEvents/{ORGANIZATION_ID}"
    assert shown(events.metric_incoming_bounces()) == (namespace, "IncomingEmailBounced", "Sum", 300)
    assert shown(events.metric_outgoing_bounces(period=Duration.hours(1))) == (
        namespace,
        "OutgoingEmailBounced",
        "Sum",
        3600,
    )
    assert shown(events.metric_rule_applied("Spam", statistic="Maximum"))[1:3] == ("RuleApplied Spam", "Maximum")


def test_its_parts_are_within_reach() -> None:
    stack = new_stack()
    events = new_events(stack)

    assert events.role.node.path == "Mail/Events/Role"
    assert events.function.node.path == "Mail/WorkMailEmailEventLogging/Function"
    assert events.organization.organization_id == ORGANIZATION_ID
    assert events.queries.keys() == EMAIL_EVENT_QUERIES.keys()


# Saved queries


def test_the_queries_are_saved_in_a_folder_of_the_stack_and_construct() -> None:
    app = App()
    stack = Stack(app, "Mail", stack_name="live-mail", env=HERE)
    new_events(stack)

    saved = {each["Name"]: each for each in properties_of(stack, "AWS::Logs::QueryDefinition")}
    assert saved.keys() == {f"live-mail/Events/{name}" for name in EMAIL_EVENT_QUERIES}
    for name, query in EMAIL_EVENT_QUERIES.items():
        found = saved[f"live-mail/Events/{name}"]
        assert found["QueryString"] == query
        assert found["LogGroupNames"] == [{"Ref": logical_id(stack, "AWS::Logs::LogGroup", "Events")}]


@pytest.mark.fact("W2")
def test_the_log_groups_arn_is_one_that_workmail_takes() -> None:
    # CloudFormation names a log group after its stack and logical id, and GetAtt gives its ARN with its streams.
    stack = new_stack()
    new_events(stack)
    group = logical_id(stack, "AWS::Logs::LogGroup", "Events")
    assert re.fullmatch(LOG_GROUP_ARN_PATTERN, f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:Mail-{group}-AbC123:*")
    role = logical_id(stack, "AWS::IAM::Role", "Events")
    assert re.fullmatch(ROLE_ARN_PATTERN, f"arn:aws:iam::{ACCOUNT}:role/Mail-{role}-AbC123")
