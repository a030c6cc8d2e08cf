"""The email flow of each message: which rule decides, what its function replies, what each recipient gets."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workmail_flow import limits
from workmail_flow.address import address_key
from workmail_flow.assumptions import conversation, from_for_rules, retry_delay_s
from workmail_flow.judge_payload import judge_payload
from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_local.deployment import MAX_EVENT_AGE_S
from workmail_local.email_flow.destinations import failure_record
from workmail_local.email_flow.invoker import CannotRunError, Invoker
from workmail_local.faults import FaultKind
from workmail_local.iam.questions import may_role_send
from workmail_local.mail.front_door import Refusal, envelope_address_problem, is_spam, refuse
from workmail_local.message_head import MessageHead
from workmail_local.records import (
    Attempt,
    AttemptOutcome,
    Delivery,
    Flow,
    Message,
    RecipientOutcome,
    RunState,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.judge_reply import Verdict
    from workmail_local.clock import Clock
    from workmail_local.deployed import Deployed, Organization
    from workmail_local.deployment import DeployedFunction
    from workmail_local.email_flow.destinations import Destinations
    from workmail_local.email_flow.event_log import EventLog
    from workmail_local.faults import FaultPlan
    from workmail_local.mail.post_office import PostOffice
    from workmail_local.store.store import Store

_log = logging.getLogger(__name__)

ASYNCHRONOUS_RETRIES_S = (60.0, 120.0)
"""How long Lambda waits before it retries an asynchronous function after an error (AWS Lambda Developer Guide)."""

_STORE_RETRY_S = 5.0
"""How long a flow waits after its state could not be written."""

_LARGE_BYTES = 64 * 1024
"""A message from this size on is inspected in its own thread, so that others do not wait for it."""

_LARGE_REPLY_BYTES = 8 * 1024
"""A reply from this size on is judged in its own thread: 256 KB (R8) take half a second."""

_NOWHERE = frozenset({RuleAction.DROP, RuleAction.BOUNCE})

_GATEWAY_UNREACHABLE = "The SMTP gateway could not be reached (W5)."
_MAILBOX_FULL = "The mailbox is full."

_NO_ORGANIZATION = Refusal(550, "5.7.1", "no deployed organization has this domain (E4)")


_RUN_ENDED = (RunState.SUCCEEDED, RunState.FAILED)


class UnknownFunctionError(Exception):
    """No such function is deployed."""


class NotInvocableError(Exception):
    """Nothing here can run a function with this event; the text says why."""


class RefusedError(Exception):
    """The message was not accepted, and nothing of it is kept."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Submission:
    """A message before it is accepted.

    Args:
        source: Where it came from: `smtp`, `submission`, `api`, or `replay of ID`.
        mail_from: Envelope sender; "" for the null reverse-path.
    """

    source: str
    direction: FlowDirection
    mail_from: str
    recipients: Sequence[str]
    content: bytes


class Engine:
    """Accepts messages and brings every flow to its end, also after a restart.

    Args:
        store: Keeps messages and flows.
        post_office: Delivers.
        invoker: Runs functions.
        destinations: Receive the events that asynchronous functions failed on.
        faults: The faults to inject.
        event_log: Where organizations see what happened to their mail.
        deployed: Returns what is deployed now.
        clock: Waits between attempts.
        publish: Called with each event, for whoever watches.
        concurrency: Invocations at a time; one that waits for its turn is no attempt yet.
    """

    def __init__(
        self,
        *,
        store: Store,
        post_office: PostOffice,
        invoker: Invoker,
        destinations: Destinations,
        faults: FaultPlan,
        event_log: EventLog,
        deployed: Callable[[], Deployed],
        clock: Clock,
        publish: Callable[[dict[str, Any]], None],
        concurrency: int = 8,
    ) -> None:
        self._store = store
        self._post_office = post_office
        self._invoker = invoker
        self._destinations = destinations
        self._faults = faults
        self._event_log = event_log
        self._deployed = deployed
        self._clock = clock
        self._publish = publish
        self._slots = asyncio.Semaphore(concurrency)
        self._active: dict[str, tuple[Flow, asyncio.Task[None]]] = {}

    def refuse_recipient(self, direction: FlowDirection, recipient: str) -> Refusal | None:
        """Return why a recipient is not accepted, or None. Inbound, it must be an organization's address (E4)."""
        if problem := envelope_address_problem(recipient):
            return Refusal(553, "5.1.3", f"the recipient's address {problem}")
        if direction is FlowDirection.INBOUND and self._deployed().organization_of(recipient) is None:
            return _NO_ORGANIZATION
        return None

    def refuse_sender(self, direction: FlowDirection, mail_from: str) -> Refusal | None:
        """Return why a sender is not accepted, or None. Outbound, it must be an organization's address."""
        if mail_from and (problem := envelope_address_problem(mail_from)):
            return Refusal(553, "5.1.7", f"the sender's address {problem}")
        if direction is FlowDirection.OUTBOUND and self._deployed().organization_of(mail_from) is None:
            return Refusal(550, "5.7.1", "no deployed organization has the sender's domain")
        return None

    async def accept(self, submission: Submission) -> Message:
        """Accept a message: when this returns, a kill of this process no longer loses it.

        Raises:
            RefusedError: It is not accepted (E4, F15, F16).
        """
        recipients = tuple({address_key(one): one for one in submission.recipients}.values())
        refusal = self.refuse_sender(submission.direction, submission.mail_from) or next(
            filter(None, (self.refuse_recipient(submission.direction, one) for one in recipients)), None
        )
        if refusal is not None:
            raise RefusedError(refusal)
        large = len(submission.content) >= _LARGE_BYTES
        inspected = asyncio.to_thread(_inspected, submission.content, recipients=len(recipients)) if large else None
        head, spam = await inspected if inspected else _inspected(submission.content, recipients=len(recipients))
        message = Message(
            id=str(uuid.uuid4()),
            received_at=self._clock.now(),
            source=submission.source,
            direction=submission.direction,
            mail_from=submission.mail_from,
            recipients=recipients,
            head=head,
            size=len(submission.content),
        )
        decided = self._split(message, spam=spam)
        flows = [(flow, self._delivered(flow, outcomes)) for flow, outcomes in decided]
        await self._store.accept(message, submission.content, flows)
        self._publish({"type": "accepted", "message": message.id})
        self._event_log.accepted(message, submission.content, [flow for flow, _ in flows])
        for (flow, outcomes), (_, delivered) in zip(decided, flows, strict=True):
            if flow.delivery is not Delivery.WAITING:
                self._event_log.decided(flow, outcomes, delivered)
        for flow, _ in flows:
            self._start(flow, again=False)
        return message

    def resume(self) -> int:
        """Continue every flow that is held or that a stop or kill left unfinished; return how many there are."""
        flows = [flow for flow in self._store.unfinished() if flow.id not in self._active]
        for flow in flows:
            self._start(flow, again=True)
        return len(flows)

    async def invoke_again(self, function_arn: str, event: object, *, dry_run: bool = False) -> None:
        """Take an asynchronous invocation with an event of a message here, as Lambda's Invoke does.

        When this returns, a kill of this process no longer loses it. It begins once the flow's earlier ones have ended.

        Args:
            function_arn: The function, alias or version.
            event: Must be the event that WorkMail sent to this function.
            dry_run: Only look whether the function is deployed.

        Raises:
            UnknownFunctionError: No such function is deployed.
            NotInvocableError: The event is no such event, so nothing here can run the function with it.
        """
        if function_arn not in self._deployed().functions:
            raise UnknownFunctionError(f"Function not found: {function_arn}")
        if dry_run:
            return
        message_id = event.get("messageId") if isinstance(event, dict) else None
        kept = self._store.flow(message_id) if isinstance(message_id, str) else None
        active = self._active.get(kept.id) if kept else None
        flow = active[0] if active else kept
        rule = flow.rule if flow else None
        if flow is None or rule is None or rule.function != function_arn or self._invoker.event(flow) != event:
            raise NotInvocableError(f"the event is none that WorkMail sent to {function_arn} here")
        if rule.synchronous:
            raise NotInvocableError(
                f"the rule {rule.name!r} is synchronous, so its function runs only while mail waits"
            )
        await self._store.invoke_again(flow)
        if flow.id not in self._active:
            self._start(flow, again=True)

    def in_flight(self) -> int:
        """Return how many flows are active now."""
        return len(self._active)

    async def wait(self, message_id: str | None = None, *, timeout_s: float | None = None) -> bool:
        """Wait until a message, or every message, is done or held; return False if the time is over first."""
        try:
            async with asyncio.timeout(timeout_s):
                while tasks := [
                    task for flow, task in self._active.values() if message_id in (None, flow.message.id, flow.id)
                ]:
                    await asyncio.wait(tasks)
                await self._event_log.flush()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Stop all flows; `resume` continues them."""
        tasks = [task for _, task in self._active.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Rules

    def _split(self, message: Message, *, spam: bool) -> list[tuple[Flow, list[RecipientOutcome]]]:
        """Return the message's flows, one per rule, with the outcomes of those that wait for no function (F8)."""
        grouped: dict[tuple[str, str | None], list[str]] = {}
        why: dict[tuple[str, str | None], dict[str, Any]] = {}
        rules: dict[tuple[str, str | None], FlowRule | None] = {}
        for recipient in message.recipients:
            organization = self._organization(message, recipient)
            decision = organization.rules.decide(
                direction=message.direction,
                sender=message.head.sender,
                from_=from_for_rules(message.head.from_, message.mail_from),
                recipient=recipient,
            )
            key = conversation(organization.organization_id, decision.rule.name if decision.rule else None)
            grouped.setdefault(key, []).append(recipient)
            rules[key] = decision.rule
            why.setdefault(key, {})[recipient] = {
                "reason": decision.reason,
                "lost": [{"rule": lost.rule.name, "reason": lost.reason} for lost in decision.lost],
            }
        result = []
        for position, (key, recipients) in enumerate(grouped.items()):
            rule = rules[key]
            runs = rule is not None and rule.action is RuleAction.RUN_LAMBDA
            waits = runs and rule is not None and bool(rule.synchronous)
            flow = Flow(
                id=message.id if position == 0 else str(uuid.uuid4()),
                message=message,
                organization_id=key[0],
                recipients=tuple(recipients),
                rule=rule,
                why=why[key],
                delivery=Delivery.WAITING if waits else Delivery.DECIDED,
                run=RunState.PENDING if runs else RunState.NONE,
                spam=spam,
            )
            result.append((flow, [] if waits else _without_answer(flow)))
        return result

    def _organization(self, message: Message, recipient: str) -> Organization:
        inbound = message.direction is FlowDirection.INBOUND
        organization = self._deployed().organization_of(recipient if inbound else message.mail_from)
        if organization is None:
            raise RefusedError(_NO_ORGANIZATION)
        return organization

    # Flows

    def _start(self, flow: Flow, *, again: bool) -> None:
        task = asyncio.create_task(self._finish(flow, again=again), name=f"flow {flow.id}")
        self._active[flow.id] = (flow, task)
        task.add_done_callback(lambda _: self._ended(flow, task))

    def _ended(self, flow: Flow, task: asyncio.Task[None]) -> None:
        self._active.pop(flow.id, None)
        if task.cancelled():
            pass
        elif (error := task.exception()) is not None:
            _log.error("flow %s ended with an error; a restart continues it", flow.id, exc_info=error)
        elif flow.run in _RUN_ENDED and self._store.has_invocations(flow):  # one that came as the last one ended
            self._start(flow, again=True)
        self._publish({"type": "finished", "message": flow.message.id})

    async def _finish(self, flow: Flow, *, again: bool) -> None:
        """Bring a flow to its end, or hold it.

        Args:
            flow: The flow, in any state.
            again: Whether it may have been delivered in part.
        """
        while True:
            try:
                if flow.delivery in (Delivery.WAITING, Delivery.HELD):
                    await self._run_synchronous(flow)
                else:
                    await self._deliver(flow, again=again)
                    if flow.run is RunState.PENDING or await self._store.begin_again(flow):
                        await self._run_asynchronous(flow)
            except CannotRunError as cannot:
                await self._store.hold(flow, str(cannot))
            except (OSError, sqlite3.Error) as error:  # a full disk, for example: the message was accepted, so try on
                # Without the file name of an OSError: its path has an address in it.
                reason = error.strerror or type(error).__name__ if isinstance(error, OSError) else error
                _log.error("flow %s: %s; trying again in %g s", flow.id, reason, _STORE_RETRY_S)
                await asyncio.sleep(_STORE_RETRY_S)
                again = True
                continue
            return

    async def _run_synchronous(self, flow: Flow) -> None:
        """Invoke the function until it replies or the rule timeout is over (T1 to T3), then deliver."""
        timeout_s = (flow.run_lambda_rule.rule_timeout_minutes or 0) * 60
        while True:
            attempt = await self._attempt(flow, wait_s=limits.SYNCHRONOUS_LIMIT_SECONDS)
            large = len(attempt.reply or b"") >= _LARGE_REPLY_BYTES
            judged = asyncio.to_thread(self._outcomes_of, flow, attempt) if large else None
            attempt, outcomes = await judged if judged else self._outcomes_of(flow, attempt)
            run = RunState.SUCCEEDED
            left_s = timeout_s - self._clock.age(flow.first_attempt_at or attempt.started_at)
            if outcomes is None and left_s <= 0:
                outcomes, run = _fallback(flow, attempt), RunState.FAILED
            if outcomes is not None:
                delivered = self._delivered(flow, outcomes)
                await self._store.decide(flow, delivered, run=run, attempt=attempt)
                self._event_log.decided(flow, outcomes, delivered)
                await self._deliver(flow, delivered, again=False)
                return
            await self._wait_for_retry(flow, attempt, retry_delay_s(attempt.number, left_s))

    def _outcomes_of(self, flow: Flow, attempt: Attempt) -> tuple[Attempt, list[RecipientOutcome] | None]:
        """Return the attempt with what was found in its reply, and the outcomes if the reply is valid (R8)."""
        if attempt.outcome is not AttemptOutcome.REPLIED:
            return attempt, None
        verdict = self._judge(flow, attempt)
        findings = (*attempt.findings, *(f"{one.path}: {one.message} [{one.code}]" for one in verdict.findings))
        if not verdict.ok:
            errors = "; ".join(f"{one.path}: {one.message}" for one in verdict.errors)
            invalid = AttemptOutcome.INVALID_REPLY
            return replace(attempt, outcome=invalid, error_type="InvalidReply", error=errors, findings=findings), None
        outcomes = [
            RecipientOutcome(one.recipient, one.action.value, one.reason, one.bounce_message, one.added)
            for one in verdict.decisions
        ]
        return replace(attempt, findings=findings), outcomes

    def _judge(self, flow: Flow, attempt: Attempt) -> Verdict:
        organization = self._deployed().organizations.get(flow.organization_id)
        _, verdict = judge_payload(
            attempt.reply or b"",
            direction=flow.message.direction,
            recipients=flow.recipients,
            fallback=flow.run_lambda_rule.fallback or RuleAction.DEFAULT,
            organization_domains=(organization.domains if organization else None) or None,
        )
        return verdict

    async def _attempt(self, flow: Flow, *, wait_s: float | None) -> Attempt:
        async with self._slots:
            started_at = self._clock.now()
            self._store.attempt_started(flow, started_at)
            try:
                return await self._invoker.invoke(flow, started_at=started_at, wait_s=wait_s)
            except CannotRunError:
                await self._store.attempt_withdrawn(flow, started_at)
                raise

    async def _wait_for_retry(self, flow: Flow, failed: Attempt, delay_s: float) -> None:
        await self._store.attempt_failed(flow, failed)
        self._publish({"type": "attempt", "message": flow.message.id})
        await self._clock.sleep(delay_s)

    async def _deliver(self, flow: Flow, outcomes: list[RecipientOutcome] | None = None, *, again: bool) -> None:
        if flow.delivery is Delivery.DONE:
            return
        decided = self._store.outcomes(flow.id) if outcomes is None else outcomes
        places: list[str | None] = []

        def deliver(content: Path) -> Sequence[str | None]:
            places[:] = self._post_office.deliver(content, flow=flow, outcomes=decided, again=again)
            return places

        await self._store.deliver(flow, deliver)
        self._publish({"type": "delivered", "message": flow.message.id})
        self._event_log.delivered(flow, decided, places)

    def _delivered(self, flow: Flow, outcomes: list[RecipientOutcome]) -> list[RecipientOutcome]:
        """Return the outcomes after faults: what a gateway or a mailbox could not take bounces (W5)."""
        to_gateway = [one for one in outcomes if one.action == RuleAction.ROUTE_TO_SMTP_GATEWAY]
        to_mailbox = [one for one in outcomes if one.action not in _NOWHERE] if _is_inbound(flow) else []
        for kind, failing, reason in (
            (FaultKind.GATEWAY_UNREACHABLE, to_gateway, _GATEWAY_UNREACHABLE),
            (FaultKind.MAILBOX_FULL, to_mailbox, _MAILBOX_FULL),
        ):
            rule = flow.rule.name if flow.rule else None
            if failing and self._faults.take({kind}, rule=rule, flow_id=flow.id):
                return [
                    replace(one, action=RuleAction.BOUNCE.value, reason=reason, bounce_message=reason)
                    if one in failing
                    else one
                    for one in outcomes
                ]
        return outcomes

    async def _run_asynchronous(self, flow: Flow) -> None:
        """Invoke the function as Lambda does, beside the delivery: its failure touches no mail (T4, R10)."""
        function = self._deployed().functions.get(flow.run_lambda_rule.function or "")
        retries = ASYNCHRONOUS_RETRIES_S[: function.max_retries if function else 0]
        max_age_s = function.max_event_age_s if function else MAX_EVENT_AGE_S
        before = self._store.attempts_before(flow)
        failures = throttles = 0
        while True:
            attempt = await self._attempt(flow, wait_s=None)
            if attempt.outcome is AttemptOutcome.REPLIED:
                await self._store.finish_run(flow, RunState.SUCCEEDED, attempt=attempt)
                return
            if attempt.outcome is AttemptOutcome.NOT_PERMITTED:
                # Lambda did not accept the event, so it neither retries nor sends to a destination.
                await self._store.finish_run(flow, RunState.FAILED, attempt=attempt)
                return
            if attempt.outcome is AttemptOutcome.THROTTLED:
                throttles += 1
                delay_s = retry_delay_s(throttles, MAX_EVENT_AGE_S)  # Lambda's own queue has the same numbers
            else:
                # Attempts before a restart count too.
                failures = max(failures + 1, attempt.number - before - throttles)
                if failures > len(retries):
                    await self._give_up(flow, function, attempt, before, "RetriesExhausted")
                    return
                delay_s = retries[failures - 1]
            if self._clock.age(flow.first_attempt_at or attempt.started_at) + delay_s > max_age_s:
                await self._give_up(flow, function, attempt, before, "EventAgeExceeded")
                return
            await self._wait_for_retry(flow, attempt, delay_s)

    async def _give_up(
        self, flow: Flow, function: DeployedFunction | None, attempt: Attempt, before: int, condition: str
    ) -> None:
        kept: str | None = None
        if function is not None and function.on_failure_arn is not None:
            destination = function.on_failure_arn
            record = failure_record(
                function=function,
                event=self._invoker.event(flow),
                attempt=attempt,
                invoke_count=attempt.number - before,
                condition=condition,
                now=self._clock.now(),
            )
            prevented = self._refused_destination(function.role_arn, destination)
            if prevented is None:
                # Sent before it is kept: after a kill in between it is sent twice rather than never.
                prevented = await self._destinations.send(destination, record)
            kept = json.dumps({"destination": destination, "prevented": prevented, "record": record})
        await self._store.finish_run(flow, RunState.FAILED, attempt=attempt, failure_record=kept)

    def _refused_destination(self, role_arn: str, destination: str) -> str | None:
        """Return why the function's role may not send to its destination, or None: Lambda sends in the role's name."""
        access = may_role_send(self._deployed().role_policies, role_arn=role_arn, destination=destination)
        return None if access.allowed else access.reason


def _inspected(content: bytes, *, recipients: int) -> tuple[MessageHead, bool]:
    """Return the head of a message and whether it is spam; raise the RefusedError of the front door."""
    if refusal := refuse(content, recipients=recipients):
        raise RefusedError(refusal)
    return MessageHead.parse(content), is_spam(content)


def _is_inbound(flow: Flow) -> bool:
    return flow.message.direction is FlowDirection.INBOUND


def _without_answer(flow: Flow) -> list[RecipientOutcome]:
    """Return the outcomes of a flow that waits for no function."""
    action = RuleAction.DEFAULT if flow.rule is None or flow.run is RunState.PENDING else flow.rule.action
    beside = " (its function runs beside the delivery, T4)" if flow.run is RunState.PENDING else ""
    return [
        RecipientOutcome(recipient, action.value, flow.why[recipient]["reason"] + beside)
        for recipient in flow.recipients
    ]


def _fallback(flow: Flow, attempt: Attempt) -> list[RecipientOutcome]:
    """Return the fallback action for all recipients of the message (T2)."""
    action = (flow.run_lambda_rule.fallback or RuleAction.DEFAULT).value
    times = "1 attempt" if attempt.number == 1 else f"{attempt.number} attempts"
    reason = f"fallback action after {times}, the last one {attempt.outcome.value} (T2)"
    return [RecipientOutcome(recipient, action, reason) for recipient in flow.recipients]
