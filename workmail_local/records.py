"""What is kept of a message on its way: the message, its flows, each attempt, each recipient's outcome."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from workmail_flow.arns import message_arn
from workmail_flow.judge_payload import decode_payload

if TYPE_CHECKING:
    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.vocabulary import FlowDirection
    from workmail_local.message_head import MessageHead


class Delivery(StrEnum):
    """How far the delivery of a flow is."""

    WAITING = "waiting"
    """It waits for the reply of a synchronous function."""
    HELD = "held"
    """The function cannot run here, so nobody knows what WorkMail would do. The next deployment continues it."""
    DECIDED = "decided"
    """Every recipient's outcome is known, but not every one is delivered yet."""
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
    """WorkMail's 15 seconds are over (T1); the function may still be running."""
    OUT_OF_MEMORY = "out-of-memory"
    RESPONSE_TOO_LARGE = "response-too-large"
    THROTTLED = "throttled"
    NOT_PERMITTED = "not-permitted"
    INTERRUPTED = "interrupted"
    """The local WorkMail ended during the attempt. The function is invoked again; this counts as no failure."""


@dataclass(frozen=True, slots=True)
class Message:
    """One SMTP conversation as it was accepted.

    Args:
        id: Also the WorkMail message id of the first flow.
        received_at: Seconds since the epoch.
        source: Where it came from: `smtp`, `submission`, `api`, or `replay of ID`.
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

    A message whose recipients match different rules becomes several flows. Each has its own ids and its own content, so
    one rule's function never changes what another rule's recipients get. Only the store changes a flow.

    Args:
        id: WorkMail's messageId (E8).
        rule: None if no rule matched.
        why: For each recipient the `reason` why this rule decides, and the rules that `lost`.
        invocation_id: The same for all attempts (E7).
        attempts: Attempts that ended.
        first_attempt_at: When the rule timeout began, in seconds since the epoch; None before the first attempt.
        held_because: Why the function cannot run here; None if the flow is not held.
        spam: Whether the spam check takes the message for spam.
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
class RecipientOutcome:
    """What happens to one recipient.

    Args:
        action: A reply's or a rule's action.
        reason: Which rule, which part of the reply, or which failure decided.
        bounce_message: The text a reply gave its BOUNCE (R3).
        added: Whether the reply added this recipient, as Bcc (R6).
        place: File of the message, or of its bounce, relative to the state folder; None if there is none.
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
        number: Counted from 1.
        started_at: Seconds since the epoch.
        error: What went wrong, for people; None if nothing did.
        reply: What the function returned, byte for byte.
        log: Standard output and error of this invocation.
        fault: The injected fault; None if there was none.
        findings: What the reply's author should fix, and what the local run noticed.
    """

    number: int
    started_at: float
    ended_at: float | None = None
    outcome: AttemptOutcome = AttemptOutcome.INTERRUPTED
    error_type: str | None = None
    error: str | None = None
    reply: bytes | None = None
    log: str = ""
    request_id: str = ""
    duration_s: float = 0.0
    fault: str | None = None
    findings: tuple[str, ...] = ()

    @property
    def decoded_reply(self) -> Any:
        """The reply decoded from JSON, or as text if it is not JSON; None without a reply."""
        if self.reply is None:
            return None
        value, fault = decode_payload(self.reply)
        return self.reply.decode("utf-8", "replace") if fault else value


@dataclass(frozen=True, slots=True)
class MessageInTransit:
    """What the message flow service knows of a message before it reads any content.

    Args:
        age_s: Seconds of WorkMail's time since the message was accepted; after 24 hours it is not found (C2).
    """

    message_id: str
    organization_id: str
    direction: FlowDirection
    age_s: float

    def arn(self, *, region: str, account: str) -> str:
        """Return the message's ARN (C3)."""
        return message_arn(
            self.organization_id,
            region=region,
            account=account,
            direction=self.direction,
            message_id=self.message_id,
        )
