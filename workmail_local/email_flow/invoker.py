"""One invocation of a rule's function, as WorkMail makes it: permission, injected fault, real run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workmail_flow import limits
from workmail_local.failure_hint import failure_hint
from workmail_local.faults import INVOCATION_FAULTS, FaultKind, FaultPlan
from workmail_local.functions import FunctionSpec, Invocation, UnsupportedRuntimeError
from workmail_local.functions.unpacked_code import CodeError
from workmail_local.iam.questions import may_workmail_invoke
from workmail_local.invocation_event import build_event, encode_event
from workmail_local.records import Attempt, AttemptOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_local.clock import Clock
    from workmail_local.deployed import Deployed, Organization
    from workmail_local.deployment import DeployedFunction
    from workmail_local.email_flow.function_metrics import FunctionMetrics
    from workmail_local.functions import FunctionHost
    from workmail_local.records import Flow

_OVERSIZED_REPLY = {
    "actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}],
    "padding": "x" * limits.MAX_REPLY_BYTES,
}
_INJECTED: dict[FaultKind, dict[str, Any]] = {
    FaultKind.FUNCTION_ERROR: {
        "outcome": AttemptOutcome.FUNCTION_ERROR,
        "error_type": "InjectedFault",
        "error": "the fault plan made it fail",
    },
    FaultKind.TIMEOUT: {
        "outcome": AttemptOutcome.WAITED_OUT,
        "error_type": "Timeout",
        "error": f"no answer within {limits.SYNCHRONOUS_LIMIT_SECONDS} s (T1)",
    },
    FaultKind.CRASH: {
        "outcome": AttemptOutcome.CRASHED,
        "error_type": "Runtime.ExitError",
        "error": "exited without an answer",
    },
    FaultKind.MALFORMED_REPLY: {"outcome": AttemptOutcome.REPLIED, "reply": b'{"actions": "DEFAULT"}'},
    FaultKind.OVERSIZED_REPLY: {"outcome": AttemptOutcome.REPLIED, "reply": json.dumps(_OVERSIZED_REPLY).encode()},
    FaultKind.THROTTLE: {
        "outcome": AttemptOutcome.THROTTLED,
        "error_type": "TooManyRequestsException",
        "error": "Rate Exceeded.",
    },
}
"""How an attempt ends when a fault takes the place of the function: fields of `Attempt`."""


class CannotRunError(Exception):
    """The function cannot run here, so nobody knows what WorkMail would do; the text says why."""


class Invoker:
    """Invokes the functions that are deployed.

    Args:
        host: Runs them.
        deployed: Returns what is deployed now.
        faults: The faults to inject.
        clock: Gives the times of attempts.
        metrics: Gets the log of each invocation.
    """

    def __init__(
        self,
        host: FunctionHost,
        *,
        deployed: Callable[[], Deployed],
        faults: FaultPlan,
        clock: Clock,
        metrics: FunctionMetrics,
    ) -> None:
        self._host = host
        self._deployed = deployed
        self._faults = faults
        self._clock = clock
        self._metrics = metrics
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
        """Invoke the function of the flow's rule once and return the ended attempt.

        Args:
            flow: Its rule names the function.
            started_at: When the attempt began.
            wait_s: How long WorkMail waits (T1); None for an asynchronous rule.

        Raises:
            CannotRunError: The function is not deployed here, or its runtime is not supported.
        """
        rule = flow.run_lambda_rule
        function_arn = rule.function or ""
        deployed = self._deployed()
        organization = deployed.organizations.get(flow.organization_id)
        if organization is None:
            raise CannotRunError(f"no deployed stack declares the organization {flow.organization_id} any more")
        taken = self._faults.take(INVOCATION_FAULTS, rule=rule.name, flow_id=flow.id)
        fault = taken.fault if taken else None
        attempt = Attempt(flow.attempts + 1, started_at, fault=fault)
        refusal = (
            "the fault plan removed the permission"
            if fault is FaultKind.PERMISSION_REMOVED
            else self._not_permitted(deployed, organization, function_arn)
        )
        if refusal is not None:
            denied = AttemptOutcome.NOT_PERMITTED
            return self._ended(attempt, outcome=denied, error_type="AccessDeniedException", error=refusal)
        if fault is FaultKind.TIMEOUT:
            await self._clock.sleep(limits.SYNCHRONOUS_LIMIT_SECONDS)
        if fault is not None and fault in _INJECTED:
            return self._ended(attempt, **_INJECTED[fault])
        invocation = await self._run(deployed, organization, flow, function_arn, wait_s)
        if fault is FaultKind.DUPLICATE_INVOCATION:
            # The first answer counts; this fault is about what else the second run does.
            await self._run(deployed, organization, flow, function_arn, wait_s)
        hint = failure_hint(
            error_type=invocation.error_type,
            error=invocation.error_message,
            reply=invocation.payload,
            synchronous=bool(rule.synchronous),
        )
        return self._ended(
            attempt,
            outcome=AttemptOutcome[invocation.outcome.name],
            error_type=invocation.error_type,
            error=invocation.error_message,
            reply=invocation.payload,
            log=invocation.log,
            request_id=invocation.request_id,
            duration_s=invocation.duration_s,
            findings=(*invocation.notes, *([hint] if hint else [])),
        )

    def _ended(self, attempt: Attempt, **fields: Any) -> Attempt:
        now = self._clock.now()
        return replace(attempt, **{"ended_at": now, "duration_s": now - attempt.started_at, **fields})

    def _not_permitted(self, deployed: Deployed, organization: Organization, function_arn: str) -> str | None:
        """Ask each question once per deployment: its policies and the request are the same for every message."""
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
            invocation = await self._host.invoke(spec, encode_event(self.event(flow)), wait_s=wait_s)
        except (UnsupportedRuntimeError, CodeError) as error:
            raise CannotRunError(str(error)) from error
        self._metrics.take(arn, invocation.log)
        return invocation

    def _spec(self, function: DeployedFunction, organization: Organization) -> FunctionSpec:
        """Return the same spec while the same function is deployed, because the host finds a warm process by it."""
        known = self._specs.get(function.arn)
        if known is not None and known[0] is function:
            return known[1]
        spec = FunctionSpec.from_deployed(function, region=organization.region)
        self._specs[function.arn] = (function, spec)
        return spec


def _not_permitted(deployed: Deployed, organization: Organization, function_arn: str) -> str | None:
    """Return why WorkMail may not invoke the function, or None: Region and account (L2), then its policy (L4)."""
    parts = function_arn.split(":")
    if len(parts) < 7 or parts[3:5] != [organization.region, organization.account]:
        return (
            f"{function_arn} is not a function of {organization.region} and account {organization.account}, where the "
            "organization is (L2)"
        )
    if function_arn not in deployed.functions:
        return None  # the run reports that the function is not deployed
    access = may_workmail_invoke(
        deployed.function_policies, function_arn=function_arn, organization_arn=organization.arn
    )
    return None if access.allowed else f"WorkMail may not invoke {function_arn}: {access.reason}"
