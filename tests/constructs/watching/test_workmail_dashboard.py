"""The dashboard of an organization's rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from aws_cdk import NestedStack, Stack
from aws_cdk.aws_cloudwatch import GraphWidget, IWidget, TextWidget

from tests.constructs.stacks import HERE, ORGANIZATION_ID, errors_of, new_function, new_rule, new_stack, only
from workmail_constructs import EmailFlowRules, FlowDirection, Run, WorkMailDashboard, WorkMailOrganization
from workmail_flow.metrics import METRICS_NAMESPACE, REPLIES

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

OTHER_ID = "m-" + "f" * 32


def organization(stack: Stack, organization_id: str = ORGANIZATION_ID) -> WorkMailOrganization:
    return WorkMailOrganization.from_organization_id(stack, f"Org{organization_id[2]}", organization_id)


def widgets(stack: Stack) -> list[dict[str, Any]]:
    """Return the widgets of the stack's one dashboard; a value of the deployment stands as its intrinsic."""
    body = only(stack, "AWS::CloudWatch::Dashboard")["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    text = "".join(part if isinstance(part, str) else json.dumps(json.dumps(part))[1:-1] for part in parts)
    found: list[dict[str, Any]] = json.loads(text)["widgets"]
    return found


def titles(stack: Stack) -> list[str]:
    return [widget["properties"].get("title") or widget["properties"]["markdown"] for widget in widgets(stack)]


def metrics_of(stack: Stack, title: str) -> list[tuple[Any, ...]]:
    """Return (namespace, name, dimension's value) of each metric of the first graph with that title."""
    (graph, *_) = (widget for widget in widgets(stack) if widget["properties"].get("title") == title)
    found = graph["properties"].get("metrics", [])
    return [(metric[0], metric[1], metric[3]) for metric in found if isinstance(metric[0], str)]


OVERVIEW = [
    "Mail of all organizations of this account and Region",
    "Failed and throttled invocations",
    "Longest invocation",
    "Events whose function failed for good",
]
ROW = ["Invocations", "Duration", "Replies and edits"]


def test_rules_declared_before_and_after_it_are_shown() -> None:
    stack = new_stack()
    org = organization(stack)
    before = new_rule(stack, "Before", organization=org)
    WorkMailDashboard(stack, "Dashboard", organization=org)
    new_rule(stack, "After", organization=org, run=Run.asynchronous(), direction=FlowDirection.OUTBOUND)
    assert titles(stack) == [
        *OVERVIEW,
        *("## Before\ninbound, synchronous, fallback DEFAULT", *ROW),
        *("## After\noutbound, asynchronous", *ROW),
    ]
    name = json.dumps(stack.resolve(before.function.function_name))
    assert ("AWS/Lambda", "Errors", name) in metrics_of(stack, "Failed and throttled invocations")
    assert metrics_of(stack, "Invocations") == [
        ("AWS/Lambda", metric, name) for metric in ("Invocations", "Errors", "Throttles")
    ]
    replies = metrics_of(stack, "Replies and edits")
    assert {metric for _, metric, _ in replies} >= {*REPLIES.values(), "EditsMade", "EditsRefused"}
    assert {(namespace, value) for namespace, _, value in replies} == {(METRICS_NAMESPACE, name)}


@pytest.mark.fact("T1", "T4")
def test_the_longest_invocation_counts_only_where_mail_waits_and_the_queue_only_where_it_does_not() -> None:
    stack = new_stack()
    org = organization(stack)
    waiting = new_rule(stack, "Waiting", organization=org)
    beside = new_rule(stack, "Beside", organization=org, run=Run.asynchronous())
    WorkMailDashboard(stack, "Dashboard", organization=org)
    name = json.dumps(stack.resolve(waiting.function.function_name))
    assert metrics_of(stack, "Longest invocation") == [("AWS/Lambda", "Duration", name)]
    assert beside.on_failure_queue is not None
    queue = json.dumps(stack.resolve(beside.on_failure_queue.queue_name))
    assert metrics_of(stack, "Events whose function failed for good") == [
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue)
    ]
    limits = [
        line["value"]
        for widget in widgets(stack)
        for line in widget["properties"].get("annotations", {}).get("horizontal", ())
    ]
    assert limits == [15_000, 15_000]


@pytest.mark.fact("W1")
def test_the_metrics_of_workmail_are_found_whatever_their_dimensions_are() -> None:
    stack = new_stack()
    WorkMailDashboard(stack, "Dashboard", organization=organization(stack))
    (mail, *_) = widgets(stack)
    expressions = [metric[0]["expression"] for metric in mail["properties"]["metrics"]]
    names = ("OrganizationEmailReceived", "MailboxEmailDelivered", "IncomingEmailBounced")
    names += ("OutgoingEmailSent", "OutgoingEmailBounced")
    assert expressions == [f"SEARCH('Namespace=\"AWS/WorkMail\" MetricName=\"{name}\"', 'Sum', 300)" for name in names]


def test_rules_of_another_organization_and_rules_without_a_function_are_left_out() -> None:
    stack = new_stack()
    org = organization(stack)
    new_rule(stack, "Other", organization=organization(stack, OTHER_ID))
    WorkMailDashboard(stack, "Dashboard", organization=org)
    EmailFlowRules.of(stack).drop("Spam", direction="INBOUND", organization=org, senders=["a.test"], destinations=["*"])
    assert titles(stack) == OVERVIEW


def test_rules_of_nested_stacks_are_shown_and_those_of_other_stacks_only_when_given() -> None:
    stack = new_stack()
    nested = NestedStack(stack, "Nested")
    elsewhere = Stack(stack.node.root, "Elsewhere", env=HERE)
    new_rule(nested, "Inner", organization=organization(nested))
    given = new_rule(elsewhere, "Given", organization=organization(elsewhere))
    new_rule(elsewhere, "Left", organization=given.organization)
    WorkMailDashboard(stack, "Dashboard", organization=organization(stack), rules=[given])
    assert [title.splitlines()[0] for title in titles(stack) if title.startswith("#")] == ["## Given", "## Inner"]
    assert errors_of(stack) == []


def test_a_rule_is_shown_once() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    WorkMailDashboard(stack, "Dashboard", organization=rule.organization, rules=[rule, rule])
    assert len([title for title in titles(stack) if title.startswith("#")]) == 1


def test_alarms_stand_first_and_own_widgets_can_be_added() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    added = rule.add_alarms()
    made = WorkMailDashboard(
        stack, "Dashboard", organization=rule.organization, alarms=added.all, dashboard_name="mail"
    )
    own = TextWidget(markdown="ours"), GraphWidget(title="own")
    made.dashboard.add_widgets(*(cast("IWidget", each) for each in own))
    first, *_ = widgets(stack)
    assert first["type"] == "alarm"
    assert len(first["properties"]["alarms"]) == len(added.all) == 3
    assert titles(stack)[-2:] == ["ours", "own"]
    assert only(stack, "AWS::CloudWatch::Dashboard")["DashboardName"] == "mail"


def test_rules_that_cannot_be_shown_are_refused() -> None:
    stack = new_stack()
    other = new_rule(stack, "Other", organization=organization(stack, OTHER_ID))
    org = organization(stack)
    with pytest.raises(ValueError, match="Mail/Other, a rule of another organization"):
        WorkMailDashboard(stack, "Dashboard", organization=org, rules=[other])
    function: Any = new_function(stack)
    with pytest.raises(TypeError, match="found Function; give RunLambdaRules"):
        WorkMailDashboard(stack, "Dashboard", organization=org, rules=[function])


def test_dashboard(template_snapshot: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    WorkMailDashboard(stack, "Dashboard", organization=organization(stack))

    assert stack == template_snapshot
