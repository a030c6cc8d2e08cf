"""What RunLambdaRule adds to an existing function: what is missing, and nothing more."""

from __future__ import annotations

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import Role
from aws_cdk.aws_lambda import Alias, Function
from aws_cdk.aws_lambda_destinations import SqsDestination
from aws_cdk.aws_sqs import Queue

from tests.constructs.stacks import (
    ACCOUNT,
    HERE,
    MESSAGES_ARN,
    REGION,
    errors_of,
    new_function,
    new_rule,
    new_stack,
    only,
    properties_of,
    statements_of,
    warnings_of,
)
from workmail_constructs import ContentAccess, EmailFlowRules, FlowDirection, Run

FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:existing"
ASYNCHRONOUS = Run.asynchronous()


def test_only_the_permission_is_added_to_a_function_that_needs_no_more() -> None:
    stack = new_stack()
    new_function(stack)
    before = Template.from_stack(stack).to_json()["Resources"]

    stack = new_stack()
    function = new_function(stack)
    rule = new_rule(stack, function=function)

    after = Template.from_stack(stack).to_json()["Resources"]
    added = [resource["Type"] for name, resource in after.items() if name not in before]
    assert added == ["AWS::Lambda::Permission"]
    assert {name: after[name] for name in before} == before
    assert stack.resolve(rule.role and rule.role.role_arn) == stack.resolve(function.role and function.role.role_arn)
    assert not hasattr(rule, "log_group")


def test_an_alias_gets_the_permission_for_itself() -> None:
    stack = new_stack()
    alias = Alias(stack, "Live", alias_name="live", version=new_function(stack).current_version)
    rule = new_rule(stack, function=alias, content_access=ContentAccess.READ)

    assert only(stack, "AWS::Lambda::Permission")["FunctionName"] == stack.resolve(alias.function_arn)
    assert stack.resolve(rule.email_flow_rule.function) == stack.resolve(alias.function_arn)
    assert statements_of(stack)[0]["Resource"] == f"{MESSAGES_ARN}/incoming/*"


def test_a_version_gets_the_permission_for_itself() -> None:
    stack = new_stack()
    version = new_function(stack).current_version
    new_rule(stack, function=version)

    assert only(stack, "AWS::Lambda::Permission")["FunctionName"] == stack.resolve(version.function_arn)


def test_a_function_of_another_stack_is_taken() -> None:
    app = App()
    owner, user = Stack(app, "Owner", env=HERE), Stack(app, "User", env=HERE)
    function = new_function(owner)
    new_rule(user, function=function, content_access=ContentAccess.READ)

    assert properties_of(user, "AWS::Lambda::Permission") == []
    assert only(owner, "AWS::Lambda::Permission")["FunctionName"] == owner.resolve(function.function_arn)
    (output,) = Template.from_stack(user).find_outputs("*").values()
    assert "Fn::ImportValue" in output["Value"]
    assert statements_of(owner)[0]["Action"] == "workmailmessageflow:GetRawMessageContent"


def test_rules_of_one_function_share_its_permission() -> None:
    stack = new_stack()
    inbound = new_rule(stack, "In")
    outbound = new_rule(
        stack,
        "Out",
        function=inbound.function,
        organization=inbound.organization,
        direction=FlowDirection.OUTBOUND,
    )

    assert outbound.invoke_permission is inbound.invoke_permission
    assert len(properties_of(stack, "AWS::Lambda::Permission")) == 1
    assert len(EmailFlowRules.of(stack).rule_set(inbound.organization)) == 2


def test_failed_events_of_an_asynchronous_function_get_a_queue() -> None:
    stack = new_stack()
    rule = new_rule(stack, function=new_function(stack), run=ASYNCHRONOUS)

    assert rule.on_failure_queue is not None
    destination = only(stack, "AWS::Lambda::EventInvokeConfig")["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == stack.resolve(rule.on_failure_queue.queue_arn)


def test_a_function_that_keeps_failed_events_is_left_alone() -> None:
    stack = new_stack()
    with_dead_letters = new_function(stack, "DeadLetters", dead_letter_queue=Queue(stack, "Queue"))
    with_destination = new_function(stack, "Destination")
    with_destination.configure_async_invoke(on_failure=SqsDestination(Queue(stack, "Failed")))
    rules = [
        new_rule(stack, f"Rule{index}", function=function, run=ASYNCHRONOUS)
        for index, function in enumerate((with_dead_letters, with_destination))
    ]

    assert [rule.on_failure_queue for rule in rules] == [None, None]
    assert len(properties_of(stack, "AWS::SQS::Queue")) == 2


def test_an_imported_function_gets_its_permission_and_a_warning_of_what_cannot_be_given() -> None:
    stack = new_stack()
    function = Function.from_function_arn(stack, "Existing", FUNCTION_ARN)
    new_rule(stack, function=function, content_access=ContentAccess.UPDATE)

    assert only(stack, "AWS::Lambda::Permission")["FunctionName"] == FUNCTION_ARN
    warnings = dict(reversed(warnings_of(stack)))
    assert list(warnings) == ["/Mail/Rule"]
    texts = [text for _, text in warnings_of(stack)]
    rights = next(text for text in texts if "WorkMailContentRights" in text)
    assert "from_function_attributes" in rights
    assert (
        '{"Action":["workmailmessageflow:GetRawMessageContent","workmailmessageflow:PutRawMessageContent"],'
        f'"Effect":"Allow","Resource":"{MESSAGES_ARN}/incoming/*"}}, '
        '{"Action":"s3:PutObject","Effect":"Allow","Resource":"${ExistingWorkMailMessageBucket'
    ) in rights
    assert any("WorkMailMessageBucketVariable" in text and "WORKMAIL_MESSAGE_BUCKET" in text for text in texts)


def test_an_asynchronous_imported_function_whose_role_is_unknown_is_warned_about() -> None:
    stack = new_stack()
    rule = new_rule(stack, function=Function.from_function_arn(stack, "Existing", FUNCTION_ARN), run=ASYNCHRONOUS)

    assert rule.on_failure_queue is None
    ((path, text),) = warnings_of(stack)
    assert path == "/Mail/Rule"
    assert "an on-failure destination; without one, events" in text


def test_an_imported_function_with_its_role_gets_everything() -> None:
    stack = new_stack()
    role = Role.from_role_arn(stack, "Role", f"arn:aws:iam::{ACCOUNT}:role/existing")
    function = Function.from_function_attributes(
        stack, "Existing", function_arn=FUNCTION_ARN, role=role, same_environment=True
    )
    rule = new_rule(stack, function=function, run=ASYNCHRONOUS, content_access=ContentAccess.READ)

    assert warnings_of(stack) == []
    assert rule.on_failure_queue is not None
    actions = {str(statement["Action"]) for statement in statements_of(stack)}
    assert "workmailmessageflow:GetRawMessageContent" in actions


@pytest.mark.fact("T1")
@pytest.mark.parametrize("kind", ["function", "version", "alias"])
def test_an_existing_function_that_outlasts_workmails_patience_is_an_error(kind: str) -> None:
    stack = new_stack()
    function = new_function(stack, timeout=Duration.seconds(15))
    version = function.current_version
    kinds = {
        "function": function,
        "version": version,
        "alias": Alias(stack, "Live", alias_name="live", version=version),
    }
    new_rule(stack, function=kinds[kind])

    ((path, text),) = errors_of(stack)
    assert path == "/Mail/Rule"
    assert "found a function timeout of 15 seconds on a synchronous rule; allowed: less than 15 seconds" in text
    assert "set timeout to 14 seconds or less" in text


def test_an_existing_asynchronous_function_may_take_its_time() -> None:
    stack = new_stack()
    new_rule(stack, function=new_function(stack, timeout=Duration.minutes(15)), run=ASYNCHRONOUS)

    assert errors_of(stack) == []


@pytest.mark.fact("L2")
def test_a_function_of_another_region_and_account_is_an_error() -> None:
    stack = new_stack()
    function = Function.from_function_arn(stack, "Existing", "arn:aws:lambda:us-east-1:444455556666:function:existing")
    new_rule(stack, function=function)

    texts = [text for path, text in errors_of(stack) if path == "/Mail/Rule"]
    assert len(texts) == 2
    assert "the function Mail/Existing of Region us-east-1 in a stack of Region eu-west-1" in texts[0]
    assert "the function Mail/Existing of account 444455556666 in a stack of account 111122223333" in texts[1]
