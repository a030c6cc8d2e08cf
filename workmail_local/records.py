"""What is kept of a message on its way: the message, its flows, each attempt, each recipient's outcome."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.vocabulary import FlowDirection
    from workmail_local.message_head import MessageHead


class Delivery(StrEnum):
    """How far the delivery of a flow is."""

    WAITING = "waiting"
    """For the answer of a synchronous function."""
    HELD = "held"
    """Nobody can say what WorkMail would do: the function cannot be run here. Goes on with the next deployment."""
    DECIDED = "decided"
    """Every recipient's outcome is known, and not all are delivered yet."""
    DONE = "done"


class RunState(StrEnum):
    """How far the function of a flow is."""

    NONE = "none"
    """The rule runs no function, or no rule matched."""
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class AttemptOutcome(StrEnum):
    """How one invocation ended, as WorkMail or Lambda sees it."""

    REPLIED = "replied"
    INVALID_REPLY = "invalid-reply"
    """R8: malformed or too large."""
    FUNCTION_ERROR = "function-error"
    INIT_ERROR = "init-error"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    """The function's own timeout."""
    WAITED_OUT = "waited-out"
    """WorkMail's 15 seconds (T1); the function may still be running."""
    OUT_OF_MEMORY = "out-of-memory"
    RESPONSE_TOO_LARGE = "response-too-large"
    THROTTLED = "throttled"
    NOT_PERMITTED = "not-permitted"
    INTERRUPTED = "interrupted"
    """The local WorkMail was stopped meanwhile: the function is invoked again, and this counts as no failure."""


@dataclass(frozen=True, slots=True)
class Message:
    """One SMTP conversation as it was accepted.

    Args:
        id: Ours; it is the WorkMail message id of the first flow as well.
        received_at: Seconds since the epoch.
        source: How it came: `smtp`, `submission`, `api`, or `replay of ID`.
        mail_from: Envelope sender; "" for the null reverse-path.
    """

    id: str
    received_at: float
    source: str
    direction: FlowDirection
    mail_from: str
    recipients: tuple[str, ...]
    head: MessageHead
    size: int


@dataclass(slots=True)
class Flow:
    """The recipients of one message that one rule decides for: WorkMail invokes the rule's function once for them (E4).

    A message whose recipients match different rules goes on as several flows, each with ids and content of its own, so
    that one rule's function never changes what another rule's recipients get.

    Args:
        id: WorkMail's messageId (E8).
        invocation_id: The same over all attempts (E7).
        rule: None if no rule matched.
        why: For each recipient the `reason` why this rule decides for it, and the rules that `lost`.
        first_attempt_at: Where the rule timeout begins; None before the first attempt.
        attempts: Attempts that ended.
        version: How often the content was updated before it was delivered (C4).
    """

    id: str
    message: Message
    organization_id: str
    recipients: tuple[str, ...]
    rule: FlowRule | None
    why: dict[str, Any]
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    delivery: Delivery = Delivery.WAITING
    run: RunState = RunState.NONE
    attempts: int = 0
    first_attempt_at: float | None = None
    held_because: str | None = None
    spam: bool = False

    @property
    def run_lambda_rule(self) -> FlowRule:
        """The rule whose function runs; raises LookupError for a flow that runs none."""
        if self.rule is None or self.rule.function is None:
            raise LookupError(f"flow {self.id} runs no function")
        return self.rule


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens to one recipient.

    Args:
        action: A reply's or a rule's action.
        reason: Which rule, which part of the reply, or which failure decided.
        bounce_message: The text a reply gave its BOUNCE (R3).
        added: Whether the reply added this recipient, as Bcc (R6).
        place: Where the message lies now: a file below the state folder, or None for a dropped one.
    """

    recipient: str
    action: str
    reason: str
    bounce_message: str | None = None
    added: bool = False
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One invocation of a flow's function.

    Args:
        number: From 1.
        error: What went wrong, for people; None if nothing did.
        reply: What the function returned, as it came.
        log: Its standard output and error during this invocation.
        fault: The injected fault, if one was.
        findings: What the reply's author should mend, and what the local run noticed.
    """

    number: int
    started_at: float
    ended_at: float | None
    outcome: AttemptOutcome
    error_type: str | None = None
    error: str | None = None
    reply: bytes | None = None
    log: str = ""
    request_id: str = ""
    duration_s: float = 0.0
    fault: str | None = None
    findings: tuple[str, ...] = ()
