"""One invocation of a rule's function, as WorkMail makes it: permitted or not, injected fault or real run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workmail_flow import limits
from workmail_local.faults import INVOCATION_FAULTS, Fault, FaultKind, FaultPlan
from workmail_local.functions import FunctionSpec, Invocation, InvocationOutcome, UnsupportedRuntimeError
from workmail_local.functions.unpacked_code import CodeError
from workmail_local.iam.questions import may_workmail_invoke
from workmail_local.invocation_event import build_event, encode_event
from workmail_local.records import Attempt, AttemptOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_local.clock import Clock
    from workmail_local.deployed import Deployed, Organization
    from workmail_local.deployment import DeployedFunction
    from workmail_local.functions import FunctionHost
    from workmail_local.records import Flow

_OUTCOMES = {
    InvocationOutcome.REPLIED: AttemptOutcome.REPLIED,
    InvocationOutcome.FUNCTION_ERROR: AttemptOutcome.FUNCTION_ERROR,
    InvocationOutcome.INIT_ERROR: AttemptOutcome.INIT_ERROR,
    InvocationOutcome.CRASHED: AttemptOutcome.CRASHED,
    InvocationOutcome.TIMED_OUT: AttemptOutcome.TIMED_OUT,
    InvocationOutcome.WAITED_OUT: AttemptOutcome.WAITED_OUT,
    InvocationOutcome.OUT_OF_MEMORY: AttemptOutcome.OUT_OF_MEMORY,
    InvocationOutcome.RESPONSE_TOO_LARGE: AttemptOutcome.RESPONSE_TOO_LARGE,
}


class CannotRunError(Exception):
    """The function cannot be run here, so nobody can say what would come of it; the text says why."""


@dataclass(frozen=True, slots=True)
class _Injected:
    """What a fault makes of an invocation: nothing of the function runs."""

    outcome: AttemptOutcome
    error_type: str | None
    error: str | None
    reply: bytes | None = None


_INJECTED = {
    FaultKind.FUNCTION_ERROR: _Injected(AttemptOutcome.FUNCTION_ERROR, "InjectedFault", "the fault plan made it fail"),
    FaultKind.TIMEOUT: _Injected(
        AttemptOutcome.WAITED_OUT, "Timeout", f"no answer within {limits.SYNCHRONOUS_LIMIT_SECONDS} s (T1)"
    ),
    FaultKind.CRASH: _Injected(AttemptOutcome.CRASHED, "Runtime.ExitError", "exited without an answer"),
    FaultKind.MALFORMED_REPLY: _Injected(AttemptOutcome.REPLIED, None, None, b'{"actions": "DEFAULT"}'),
    FaultKind.OVERSIZED_REPLY: _Injected(
        AttemptOutcome.REPLIED,
        None,
        None,
        json.dumps(
            {
                "actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}],
                "padding": "x" * limits.MAX_REPLY_BYTES,
            }
        ).encode(),
    ),
    FaultKind.THROTTLE: _Injected(AttemptOutcome.THROTTLED, "TooManyRequestsException", "Rate Exceeded."),
}


class Invoker:
    """Invokes the functions that are deployed.

    Args:
        host: Runs them.
        deployed: Returns what is deployed now.
        faults: What goes wrong.
        clock: Tells attempts' times.
    """

    def __init__(
        self, host: FunctionHost, *, deployed: Callable[[], Deployed], faults: FaultPlan, clock: Clock
    ) -> None:
        self._host = host
        self._deployed = deployed
        self._faults = faults
        self._clock = clock
        self._specs: dict[str, tuple[DeployedFunction, FunctionSpec]] = {}
        self._judged: Deployed | None = None
        self._refusals: dict[tuple[str, str], str | None] = {}

    def event(self, flow: Flow) -> dict[str, Any]:
        """Return the event of a flow: the same for each of its attempts (E7)."""
        return build_event(
            message=flow.message.head,
            mail_from=flow.message.mail_from,
            recipients=flow.recipients,
            direction=flow.message.direction,
            message_id=flow.id,
            invocation_id=flow.invocation_id,
        )

    async def invoke(self, flow: Flow, *, started_at: float, wait_s: float | None) -> Attempt:
        """Invoke the function of the flow's rule once and return what came of it.

        Args:
            flow: Its rule names the function.
            started_at: When the attempt was noted to begin.
            wait_s: How long WorkMail waits (T1); None for an asynchronous rule.

        Raises:
            CannotRunError: The function is not deployed here, or its runtime is not one we can run.
        """
        rule = flow.run_lambda_rule
        function_arn = rule.function or ""
        deployed = self._deployed()
        organization = deployed.organizations.get(flow.organization_id)
        if organization is None:
            raise CannotRunError(f"no deployed stack declares the organization {flow.organization_id} any more")
        fault = self._faults.take(INVOCATION_FAULTS, rule=rule.name, flow_id=flow.id)
        refusal = (
            "the fault plan took the permission away"
            if fault is not None and fault.fault is FaultKind.PERMISSION_REMOVED
            else self._not_permitted(deployed, organization, function_arn)
        )
        if refusal is not None:
            return self._attempt(
                flow, started_at, fault, AttemptOutcome.NOT_PERMITTED, "AccessDeniedException", refusal
            )
        if fault is not None and fault.fault in _INJECTED:
            injected = _INJECTED[fault.fault]
            if fault.fault is FaultKind.TIMEOUT:
                await self._clock.sleep(limits.SYNCHRONOUS_LIMIT_SECONDS)
            return self._attempt(
                flow, started_at, fault, injected.outcome, injected.error_type, injected.error, injected.reply
            )
        invocation = await self._run(deployed, organization, flow, function_arn, wait_s)
        if fault is not None and fault.fault is FaultKind.DUPLICATE_INVOCATION:
            # The first answer counts; what the second run does besides answering is what this fault is for.
            await self._run(deployed, organization, flow, function_arn, wait_s)
        return Attempt(
            number=flow.attempts + 1,
            started_at=started_at,
            ended_at=self._clock.now(),
            outcome=_OUTCOMES[invocation.outcome],
            error_type=invocation.error_type,
            error=invocation.error_message,
            reply=invocation.payload,
            log=invocation.log,
            request_id=invocation.request_id,
            duration_s=invocation.duration_s,
            fault=fault.fault.value if fault else None,
            findings=invocation.notes,
        )

    def _not_permitted(self, deployed: Deployed, organization: Organization, function_arn: str) -> str | None:
        """Judge the same question once a deployment: neither its policies nor the request differ from mail to mail."""
        if self._judged is not deployed:
            self._judged = deployed
            self._refusals.clear()
        question = (organization.arn, function_arn)
        if question not in self._refusals:
            self._refusals[question] = _not_permitted(deployed, organization, function_arn)
        return self._refusals[question]

    async def _run(
        self, deployed: Deployed, organization: Organization, flow: Flow, arn: str, wait_s: float | None
    ) -> Invocation:
        function = deployed.functions.get(arn)
        if function is None:
            raise CannotRunError(
                f"function {arn} is not deployed here: deploy the stack that has it with `workmail-flow local deploy`"
            )
        try:
            spec = self._spec(function, organization)
            return await self._host.invoke(spec, encode_event(self.event(flow)), wait_s=wait_s)
        except (UnsupportedRuntimeError, CodeError) as error:
            raise CannotRunError(str(error)) from error

    def _spec(self, function: DeployedFunction, organization: Organization) -> FunctionSpec:
        """Return the same spec while the same function is deployed: the host knows a warm process by it."""
        known = self._specs.get(function.arn)
        if known is not None and known[0] is function:
            return known[1]
        spec = FunctionSpec.from_deployed(function, region=organization.region)
        self._specs[function.arn] = (function, spec)
        return spec

    def _attempt(
        self,
        flow: Flow,
        started_at: float,
        fault: Fault | None,
        outcome: AttemptOutcome,
        error_type: str | None,
        error: str | None,
        reply: bytes | None = None,
    ) -> Attempt:
        now = self._clock.now()
        return Attempt(
            number=flow.attempts + 1,
            started_at=started_at,
            ended_at=now,
            outcome=outcome,
            error_type=error_type,
            error=error,
            reply=reply,
            duration_s=now - started_at,
            fault=fault.fault.value if fault else None,
        )


def _not_permitted(deployed: Deployed, organization: Organization, function_arn: str) -> str | None:
    """Return why WorkMail may not invoke the function, or None: Region and account (L2), then its policy (L4)."""
    parts = function_arn.split(":")
    if len(parts) < 7 or parts[3:5] != [organization.region, organization.account]:
        return (
            f"{function_arn} is not a function of {organization.region} and account {organization.account}, where the "
            "organization is (L2)"
        )
    if function_arn not in deployed.functions:
        return None  # not ours to judge: it is told that the function is not deployed
    access = may_workmail_invoke(
        deployed.function_policies, function_arn=function_arn, organization_arn=organization.arn
    )
    return None if access.allowed else f"WorkMail may not invoke {function_arn}: {access.reason}"
