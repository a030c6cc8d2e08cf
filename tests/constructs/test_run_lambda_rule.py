"""What the one statement makes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import CfnParameter, Duration, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_dynamodb import Attribute, AttributeType, TableV2
from aws_cdk.aws_lambda import Code, Runtime
from aws_cdk.aws_logs import RetentionDays

from tests.constructs.stacks import (
    HANDLER,
    MESSAGES_ARN,
    ORGANIZATION_ARN,
    SYNCHRONOUS,
    new_function,
    new_rule,
    new_stack,
    only,
    properties_of,
    rights_of,
    statements_of,
)
from workmail_constructs import (
    ContentAccess,
    EmailFlowRules,
    FallbackAction,
    FlowDirection,
    RuleCode,
    RuleError,
    Run,
    defaults,
    rule_function,
)
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.subject_prefix import SubjectPrefix
from workmail_flow.vocabulary import RuleAction

ASYNCHRONOUS = Run.asynchronous()


def test_the_shortest_statement_makes_a_function_with_role_and_log_group_and_nothing_else() -> None:
    stack = new_stack()
    new_rule(stack)

    resources = Template.from_stack(stack).to_json()["Resources"].values()
    assert sorted(resource["Type"] for resource in resources) == [
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
    ]
    function = only(stack, "AWS::Lambda::Function")
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["Handler"] == "app.handler"
    assert only(stack, "AWS::Logs::LogGroup") == {"RetentionInDays": 30}
    assert "Ref" in function["LoggingConfig"]["LogGroup"]


def test_the_role_may_write_to_its_own_log_group_and_has_no_managed_policy() -> None:
    stack = new_stack()
    rule = new_rule(stack)

    assert rule.log_group is not None
    assert "ManagedPolicyArns" not in only(stack, "AWS::IAM::Role")
    assert statements_of(stack) == [
        {
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Effect": "Allow",
            "Resource": stack.resolve(rule.log_group.log_group_arn),
        }
    ]


def test_the_runtime_is_the_one_that_requirements_are_resolved_for() -> None:
    assert rule_function.RUNTIME.name == f"python{defaults.PYTHON_VERSION}"


@pytest.mark.fact("L4")
def test_workmail_of_the_region_may_invoke_for_this_organization_without_further_conditions() -> None:
    stack = new_stack()
    rule = new_rule(stack)

    permission = only(stack, "AWS::Lambda::Permission")
    assert permission == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": stack.resolve(rule.function.function_arn),
        "Principal": "workmail.eu-west-1.amazonaws.com",
        "SourceArn": ORGANIZATION_ARN,
    }


@pytest.mark.fact("L4")
def test_the_principal_follows_a_stack_without_environment() -> None:
    stack = new_stack(env=None)
    new_rule(stack)

    assert only(stack, "AWS::Lambda::Permission")["Principal"] == {
        "Fn::Join": ["", ["workmail.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]
    }


def test_the_output_shows_the_arn_to_paste() -> None:
    stack = new_stack()
    rule = new_rule(stack, "Hello")

    (output,) = Template.from_stack(stack).find_outputs("*").values()
    assert output["Value"] == stack.resolve(rule.function.function_arn)
    assert output["Description"] == "For the inbound email flow rule Hello in the WorkMail console"


@pytest.mark.fact("C3")
@pytest.mark.parametrize(
    ("direction", "context"), [(FlowDirection.INBOUND, "incoming"), (FlowDirection.OUTBOUND, "outgoing")]
)
def test_reading_content_is_allowed_for_this_organization_and_direction(direction: FlowDirection, context: str) -> None:
    stack = new_stack()
    new_rule(stack, direction=direction, content_access=ContentAccess.READ)

    assert rights_of(stack) == [
        {
            "Action": "workmailmessageflow:GetRawMessageContent",
            "Effect": "Allow",
            "Resource": f"{MESSAGES_ARN}/{context}/*",
        }
    ]


def test_rules_of_a_stack_share_only_the_asset() -> None:
    stack = new_stack()
    first = new_rule(stack, "First", content_access=ContentAccess.READ)
    second = new_rule(
        stack,
        "Second",
        organization=first.organization,
        direction=FlowDirection.OUTBOUND,
        content_access=ContentAccess.READ,
    )

    assert first.role is not None
    assert second.role is not None
    assert stack.resolve(first.role.role_arn) != stack.resolve(second.role.role_arn)
    assert {statement["Resource"] for statement in rights_of(stack)} == {
        f"{MESSAGES_ARN}/incoming/*",
        f"{MESSAGES_ARN}/outgoing/*",
    }
    keys = {function["Code"]["S3Key"] for function in properties_of(stack, "AWS::Lambda::Function")}
    assert len(keys) == 1


@pytest.mark.fact("T1")
def test_a_synchronous_function_ends_before_workmail_stops_waiting() -> None:
    stack = new_stack()
    new_rule(stack)

    assert only(stack, "AWS::Lambda::Function")["Timeout"] == 14


@pytest.mark.fact("T4")
def test_an_asynchronous_function_may_take_longer_and_loses_no_event() -> None:
    stack = new_stack()
    rule = new_rule(stack, run=ASYNCHRONOUS)

    assert only(stack, "AWS::Lambda::Function")["Timeout"] == 60
    assert rule.on_failure_queue is not None
    queue_arn = stack.resolve(rule.on_failure_queue.queue_arn)
    assert only(stack, "AWS::Lambda::EventInvokeConfig")["DestinationConfig"] == {
        "OnFailure": {"Destination": queue_arn}
    }
    assert only(stack, "AWS::SQS::Queue") == {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 24 * 3600}
    (tls_only,) = statements_of(stack, "AWS::SQS::QueuePolicy")
    assert tls_only["Effect"] == "Deny"
    assert tls_only["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (send,) = rights_of(stack)
    assert send["Resource"] == queue_arn


def test_a_synchronous_function_has_no_queue() -> None:
    stack = new_stack()
    rule = new_rule(stack)

    assert rule.on_failure_queue is None
    assert properties_of(stack, "AWS::Lambda::EventInvokeConfig") == []


def test_the_function_is_made_as_asked() -> None:
    stack = new_stack()
    new_rule(
        stack,
        code=RuleCode.from_folder(HANDLER, handler="app.handler"),
        description="Says hello",
        environment={"GREETING": "hello"},
        log_retention=RetentionDays.ONE_WEEK,
        memory_size=512,
        timeout=Duration.seconds(5),
    )

    function = only(stack, "AWS::Lambda::Function")
    assert function["Description"] == "Says hello"
    assert function["Environment"] == {"Variables": {"GREETING": "hello"}}
    assert function["MemorySize"] == 512
    assert function["Timeout"] == 5
    assert only(stack, "AWS::Logs::LogGroup") == {"RetentionInDays": 7}


def test_a_description_is_the_rules_and_that_of_the_function_that_is_made() -> None:
    stack = new_stack()
    made = new_rule(stack, description="Says hello", owner="Ann, ann@example.com")
    given = new_rule(
        stack, "Given", senders=["x.example"], function=new_function(stack, description="Says less"), description="More"
    )

    assert (made.email_flow_rule.description, made.email_flow_rule.owner) == ("Says hello", "Ann, ann@example.com")
    assert given.email_flow_rule.description == "More"
    assert {each.get("Description") for each in properties_of(stack, "AWS::Lambda::Function")} == {
        "Says hello",
        "Says less",
    }


def test_without_a_description_the_code_describes_the_rule() -> None:
    stack = new_stack()
    parameter = CfnParameter(stack, "Description").value_as_string
    steps = [Banner("From outside"), SubjectPrefix("[EXT]", name="Mark")]
    described = [
        new_rule(stack, "Code", senders=["a.example"]),
        new_rule(stack, "Token", senders=["b.example"], description=parameter),
        new_rule(stack, "Steps", senders=["c.example"], code=None, steps=steps),
        new_rule(stack, "Given", senders=["d.example"], function=new_function(stack, description="Says less")),
        new_rule(stack, "Silent", senders=["e.example"], function=new_function(stack, "Silently")),
    ]

    of_handler = "Looks at each inbound message and decides who gets it, which folder it goes to, or why it is refused."
    of_steps = (
        "Banner: Shows a text above the body, in every alternative of it, whatever the message says already. "
        "Mark: Puts a word before the subject, unless a reader sees it there already."
    )
    assert [rule.email_flow_rule.description for rule in described] == [
        of_handler,
        of_handler,
        of_steps,
        "Says less",
        None,
    ]


@pytest.mark.parametrize("argument", ["description", "owner"])
def test_description_and_owner_are_one_line(argument: str) -> None:
    with pytest.raises(RuleError, match=rf"{argument}: found 'One\\nTwo'; one line of text is needed"):
        new_rule(new_stack(), **{argument: "One\nTwo"})


def test_the_rule_is_declared_in_its_stack() -> None:
    stack = new_stack()
    rule = new_rule(
        stack,
        "Greet",
        senders=["*.example.net", "mary@example.org"],
        run=Run.synchronous(fallback=FallbackAction.BOUNCE, rule_timeout=Duration.hours(4)),
        content_access=ContentAccess.READ,
        acknowledge={"some-code": "we know"},
    )

    (declared,) = EmailFlowRules.of(stack).rule_set(rule.organization)
    assert declared == rule.email_flow_rule
    assert stack.resolve(declared.function) == stack.resolve(rule.function.function_arn)
    assert declared.to_json() | {"function": None} == {
        "name": "Greet",
        "direction": "inbound",
        "action": "RUN_LAMBDA",
        "senders": ["*.example.net", "mary@example.org"],
        "destinations": ["*"],
        "function": None,
        "synchronous": True,
        "fallback": "BOUNCE",
        "ruleTimeoutMinutes": 240,
        "readsContent": True,
        "description": "Looks at each inbound message and decides who gets it, which folder it goes to, or why it is "
        "refused.",
        "acknowledge": {"some-code": "we know"},
    }


def test_an_asynchronous_rule_has_no_fallback_and_may_have_destinations() -> None:
    rule = new_rule(new_stack(), run=ASYNCHRONOUS, destinations=["sales@example.com"]).email_flow_rule

    assert (rule.synchronous, rule.fallback, rule.rule_timeout_minutes) == (False, None, None)
    assert [pattern.text for pattern in rule.destinations] == ["sales@example.com"]


def test_a_rule_is_grantable() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    table = TableV2(stack, "Table", partition_key=Attribute(name="id", type=AttributeType.STRING))
    table.grant_read_data(rule)

    assert any("dynamodb:GetItem" in statement["Action"] for statement in statements_of(stack))


def test_a_rule_gives_the_usual_metrics() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    metrics = {
        "Invocations": rule.metric_invocations(),
        "Errors": rule.metric_errors(period=Duration.minutes(1)),
        "Duration": rule.metric_duration(statistic="p99"),
        "Throttles": rule.metric_throttles(),
    }

    for name, metric in metrics.items():
        assert (metric.namespace, metric.metric_name) == ("AWS/Lambda", name)
    assert metrics["Errors"].period.to_seconds() == 60
    assert metrics["Duration"].statistic == "p99"


@pytest.mark.fact("F12")
def test_a_synchronous_rule_with_another_destination_than_any_is_refused() -> None:
    with pytest.raises(RuleError, match=r"destinations\[0\]: found sales@example.com; a synchronous rule supports"):
        new_rule(new_stack(), destinations=["sales@example.com"])


@pytest.mark.fact("F13")
@pytest.mark.parametrize("timeout", [Duration.minutes(241), Duration.seconds(90)])
def test_a_rule_timeout_out_of_range_is_refused(timeout: Duration) -> None:
    with pytest.raises(ValueError, match=r"rule_timeout: found .* minutes; a rule timeout is 0 to 240 whole minutes"):
        Run.synchronous(fallback=FallbackAction.DEFAULT, rule_timeout=timeout)


@pytest.mark.fact("T3")
def test_a_rule_timeout_of_zero_means_no_retry() -> None:
    run = Run.synchronous(fallback=FallbackAction.DROP, rule_timeout=Duration.minutes(0))

    assert run.rule_timeout_minutes == 0


@pytest.mark.fact("F13")
def test_a_fallback_the_direction_lacks_is_refused() -> None:
    run = Run.synchronous(fallback=FallbackAction.MOVE_TO_JUNK)
    with pytest.raises(
        RuleError, match=r"run\.fallback: found MOVE_TO_JUNK; a synchronous outbound rule falls back to"
    ):
        new_rule(new_stack(), direction=FlowDirection.OUTBOUND, run=run)


@pytest.mark.fact("F13")
def test_running_a_function_is_not_a_fallback() -> None:
    with pytest.raises(ValueError, match="RUN_LAMBDA"):
        Run.synchronous(fallback=RuleAction.RUN_LAMBDA)  # type: ignore[arg-type]


@pytest.mark.fact("F5", "F6")
def test_everything_wrong_with_the_patterns_is_reported_together() -> None:
    with pytest.raises(RuleError) as caught:
        new_rule(new_stack(), senders=["mary+tag@example.com", "*"], destinations=["a.*.example.com"])

    assert [problem.path for problem in caught.value.problems] == ["senders[0]", "destinations[0]"]


def test_patterns_given_as_a_string_are_refused() -> None:
    with pytest.raises(TypeError, match=r"senders: found the string 'example.com'; give a list of patterns"):
        new_rule(new_stack(), senders="example.com")


def _both(stack: Stack) -> dict[str, Any]:
    return {"code": RuleCode.from_folder(HANDLER), "function": new_function(stack)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda _: {"code": None}, "code, steps, function: found none of them"),
        (_both, "code, steps, function: found code and function"),
        (lambda stack: {"function": new_function(stack), "memory_size": 512}, "memory_size: found beside function"),
        (lambda _: {"memory": 512}, "memory: unknown argument"),
        (
            lambda _: {"run": ASYNCHRONOUS, "content_access": ContentAccess.UPDATE},
            "content_access: found UPDATE on an asynchronous rule",
        ),
        (lambda _: {"message_key": object()}, "message_key: found with content_access NONE"),
        (
            lambda _: {"content_access": ContentAccess.UPDATE, "environment": {"WORKMAIL_MESSAGE_BUCKET": "mine"}},
            "environment: found WORKMAIL_MESSAGE_BUCKET",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_refused_before_anything_is_made(arguments: Any, message: str) -> None:
    stack = new_stack()
    with pytest.raises(ValueError, match=message):
        new_rule(stack, **arguments(stack))

    assert stack.node.try_find_child("Rule") is None


@pytest.mark.fact("C4")
def test_an_update_needs_a_synchronous_rule() -> None:
    with pytest.raises(ValueError, match=r"\(C4\)"):
        new_rule(new_stack(), run=ASYNCHRONOUS, content_access=ContentAccess.UPDATE)


def test_a_rule_in_another_construct_belongs_to_its_stack() -> None:
    from constructs import Construct

    stack = new_stack()
    rule = new_rule(Construct(stack, "Mail"))

    assert rule.node.path == "Mail/Mail/Rule"
    assert list(EmailFlowRules.of(stack).rule_set(rule.organization)) == [rule.email_flow_rule]


def test_existing_functions_of_any_runtime_are_taken() -> None:
    stack = new_stack()
    function = new_function(stack)
    rule = new_rule(stack, function=function, run=SYNCHRONOUS)

    assert rule.function is function
    assert only(stack, "AWS::Lambda::Function")["Runtime"] == Runtime.NODEJS_22_X.name


def test_a_rule_may_have_another_name_than_its_construct() -> None:
    stack = new_stack()
    rule = new_rule(stack, "Rule", name="Greets everybody")

    assert rule.email_flow_rule.name == "Greets everybody"


def test_text_in_place_of_a_construct_is_refused_all_together() -> None:
    with pytest.raises(TypeError) as caught:
        new_rule(
            new_stack(),
            organization="m-0123",
            run="synchronous",
            function="arn:aws:lambda:eu-west-1:111122223333:function:mail",
            message_bucket="messages",
        )
    assert [line.partition(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "organization",
        "run",
        "function",
        "message_bucket",
    ]
    assert "give Run.synchronous(fallback=…) or Run.asynchronous()" in str(caught.value)


def test_code_of_cdks_own_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"code: found InlineCode; give RuleCode.from_folder"):
        new_rule(new_stack(), code=Code.from_inline("x"))
