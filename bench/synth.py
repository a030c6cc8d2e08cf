"""Construct phase of N rules: `RunLambdaRule` against the same resources written by hand in plain CDK."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench._measure import Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_cdk import Stack

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
HANDLER = Path(__file__).resolve().parent.parent / "examples" / "hello_world" / "handler"
TIMES = {1: 61, 10: 61, 100: 15}
"""By number of rules, how often each side is built. The fastest counts: what disturbs a machine only ever adds."""
GOALS = {10: 0.8, 100: 0.8}
NOTES = {1: "; ours makes what a stack's rules share: the declared rules, their checks, the organization"}


def ours(stack: Stack, count: int) -> None:
    """Declare rules as a user of this package does, with what the rules share taken out of the loop."""
    from workmail_constructs import (
        ContentAccess,
        FallbackAction,
        FlowDirection,
        RuleCode,
        Run,
        RunLambdaRule,
        WorkMailOrganization,
    )

    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    code = RuleCode.from_folder(HANDLER)
    run = Run.synchronous(fallback=FallbackAction.DEFAULT)
    for index in range(count):
        RunLambdaRule(
            stack,
            f"Rule{index}",
            organization=organization,
            direction=FlowDirection.INBOUND,
            code=code,
            run=run,
            content_access=ContentAccess.READ,
            senders=[f"sender{index}@example.com"],
        )


def by_hand(stack: Stack, count: int) -> None:
    """Write the same template in plain CDK, with what belongs to the stack taken out of the loop.

    The names are shorter, since no construct is around a rule's resources; that saves a call per rule.
    """
    from aws_cdk import CfnOutput, CfnRule, CfnRuleAssertion, Duration, Fn
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_logs as logs

    from workmail_constructs.assets import pack

    region, account = stack.region, stack.account
    organization_arn = f"arn:aws:workmail:{region}:{account}:organization/{ORGANIZATION_ID}"
    CfnRule(
        stack,
        "WorkMailRegion",
        assertions=[
            CfnRuleAssertion(
                assert_=Fn.condition_contains(["eu-west-1", "us-east-1", "us-west-2"], region),
                assert_description="WorkMail exists in eu-west-1, us-east-1, us-west-2 only: "
                "deploy this stack in the organization's Region",
            )
        ],
    )
    rules = []
    packed = pack(HANDLER)
    code = lambda_.Code.from_asset(str(packed.folder), asset_hash=packed.hash)
    for index in range(count):
        log_group = logs.LogGroup(stack, f"LogGroup{index}", retention=logs.RetentionDays.ONE_MONTH)
        role = iam.Role(stack, f"Role{index}", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        function = lambda_.Function(
            stack,
            f"Function{index}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            handler="app.handler",
            memory_size=256,
            timeout=Duration.seconds(14),
            log_group=log_group,
            role=role,
        )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["workmailmessageflow:GetRawMessageContent"],
                resources=[
                    f"arn:aws:workmailmessageflow:{region}:{account}:message/{ORGANIZATION_ID}/incoming/*",
                ],
            )
        )
        function.add_permission(
            "WorkMail",
            principal=iam.ServicePrincipal(f"workmail.{region}.amazonaws.com"),
            source_arn=organization_arn,
        )
        arn = function.function_arn
        CfnOutput(
            stack,
            f"FunctionArn{index}",
            value=arn,
            description=f"For the inbound email flow rule Rule{index} in the WorkMail console",
        )
        rules.append(
            {
                "name": f"Rule{index}",
                "direction": "inbound",
                "action": "RUN_LAMBDA",
                "senders": [f"sender{index}@example.com"],
                "destinations": ["*"],
                "function": arn,
                "synchronous": True,
                "fallback": "DEFAULT",
                "ruleTimeoutMinutes": 30,
                "readsContent": True,
                "description": "Looks at each inbound message and decides who gets it, which folder it goes to, or why "
                "it is refused.",
                "owner": f"whoever maintains Bench/Rule{index} in the CDK app",
            }
        )
    organization = {
        "organizationId": ORGANIZATION_ID,
        "organizationArn": organization_arn,
        "domains": [],
        "rules": rules,
    }
    stack.add_metadata("WorkMailEmailFlow", {"version": 1, "organizations": [organization]})


class _Counting:
    """Stands in for the connection to Node.js and writes down each request."""

    def __init__(self, provider: object) -> None:
        self._provider = provider
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        request = getattr(self._provider, name)

        def call(*args: object, **kwargs: object) -> object:
            details = (getattr(args[0], key, "") for key in ("fqn", "property", "method"))
            self.calls.append(" ".join([name, *filter(None, details)]))
            return request(*args, **kwargs)

        return call


@contextmanager
def jsii_calls() -> Iterator[list[str]]:
    """Collect the calls into Node.js, replies to its callbacks included."""
    import jsii

    provider = jsii.kernel.provider
    counting = _Counting(provider)
    jsii.kernel.provider = counting
    try:
        yield counting.calls
    finally:
        jsii.kernel.provider = provider


def _construct(build: Callable[[Stack, int], None], count: int, outdir: str) -> float:
    """Build one app with one stack and return how long its rules took, in ms."""
    from aws_cdk import App, Stack

    stack = Stack(App(outdir=outdir, analytics_reporting=False), "Bench")
    start = time.perf_counter()
    build(stack, count)
    return (time.perf_counter() - start) * 1000


def calls_a_rule(build: Callable[[Stack, int], None], outdir: str) -> float:
    """Return the calls that one rule more costs, with everything made that is made once."""
    _construct(build, 1, outdir)  # what is made once in a process
    counted = []
    for count in (1, 11):
        with jsii_calls() as calls:
            _construct(build, count, outdir)
        counted.append(len(calls))
    return (counted[1] - counted[0]) / 10


def run() -> list[Measure]:
    """Count the calls, then time both sides in turn."""
    os.environ["CDK_VALIDATION"] = "false"
    sides = (ours, by_hand)
    with tempfile.TemporaryDirectory() as outdir:
        for build in sides:  # load the modules, pack the code
            _construct(build, 1, outdir)
        measures = [
            Measure(
                "jsii calls a rule",
                *(calls_a_rule(build, outdir) for build in sides),
                unit="calls",
                goal=6 / 11,
                note="log group, role, function, statement, permission and output by hand in plain CDK",
            )
        ]
        for count, times in TIMES.items():
            took: dict[Callable[[Stack, int], None], list[float]] = {build: [] for build in sides}
            for turn in range(times):
                for build in sides if turn % 2 else reversed(sides):
                    took[build].append(_construct(build, count, outdir))
            measures.append(
                Measure(
                    f"construct phase, {count} rule{'s' if count > 1 else ''}",
                    *(min(took[build]) for build in sides),
                    unit="ms",
                    goal=GOALS.get(count),
                    note="the same template by hand, in turn in one process" + NOTES.get(count, ""),
                )
            )
    return measures
