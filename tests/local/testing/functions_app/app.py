"""Rules with an alias, a function or role of another stack, and functions that fail with and without a queue."""

from __future__ import annotations

from aws_cdk import App, Duration, NestedStack, RemovalPolicy, Stack
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_lambda import Architecture, Function, Runtime

from workmail_constructs import (
    ContentAccess,
    FallbackAction,
    FlowDirection,
    RuleCode,
    Run,
    RunLambdaRule,
    WorkMailOrganization,
)

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"

app = App()
shared = Stack(app, "Shared")
rules = Stack(app, "Rules")
nested = NestedStack(rules, "Nested")
organizations = {
    stack: WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID, domains=["example.com"])
    for stack in (rules, nested)
}
synchronous = Run.synchronous(fallback=FallbackAction.BOUNCE)
add_notice = RuleCode.from_folder("handler", handler="app.add_notice", include=["../shared/notice.py"])

function = Function(
    shared,
    "Function",
    runtime=Runtime.PYTHON_3_13,
    architecture=Architecture.ARM_64,
    code=add_notice.in_stack(shared),
    handler=add_notice.handler,
    timeout=Duration.seconds(10),
    memory_size=256,
)
role = Role(shared, "Role", assumed_by=ServicePrincipal("lambda.amazonaws.com"))

RunLambdaRule(
    rules,
    "Alias",
    organization=organizations[rules],
    direction=FlowDirection.INBOUND,
    code=add_notice,
    run=synchronous,
    alias="live",
    function_name=app.node.get_context("functionName"),
    content_access=ContentAccess.UPDATE,
    message_bucket_removal_policy=RemovalPolicy.DESTROY,
    message_bucket_auto_delete_objects=True,
)
RunLambdaRule(
    rules,
    "Inbound",
    organization=organizations[rules],
    direction=FlowDirection.INBOUND,
    function=function,
    run=synchronous,
    content_access=ContentAccess.UPDATE,
    senders=["inbound.example"],
)
RunLambdaRule(
    nested,
    "Outbound",
    organization=organizations[nested],
    direction=FlowDirection.OUTBOUND,
    function=function,
    run=synchronous,
    content_access=ContentAccess.UPDATE,
)
RunLambdaRule(
    nested,
    "Beside",
    organization=organizations[nested],
    direction=FlowDirection.INBOUND,
    function=function,
    run=Run.asynchronous(),
    senders=["beside.example"],
)
RunLambdaRule(
    rules,
    "Failing",
    organization=organizations[rules],
    direction=FlowDirection.INBOUND,
    code=RuleCode.from_folder("handler", handler="app.fail", include=["../shared/notice.py"]),
    run=Run.asynchronous(),
    alias="live",
    retry_attempts=0,
    senders=["failing.example"],
)
RunLambdaRule(
    rules,
    "Denied",
    organization=organizations[rules],
    direction=FlowDirection.INBOUND,
    code=RuleCode.from_folder("handler", handler="app.fail", include=["../shared/notice.py"]),
    run=Run.asynchronous(),
    max_event_age=Duration.minutes(1),
    role=Role.from_role_name(rules, "ReadOnlyRole", "read-only", mutable=False),
    senders=["denied.example"],
)
RunLambdaRule(
    rules,
    "Role",
    organization=organizations[rules],
    direction=FlowDirection.INBOUND,
    code=RuleCode.from_folder("handler", handler="app.read", include=["../shared/notice.py"]),
    run=Run.asynchronous(),
    role=role,
    runtime=Runtime.PYTHON_3_12,
    architecture=Architecture.X86_64,
    content_access=ContentAccess.READ,
    senders=["role.example"],
)
app.synth()
