"""What is known of messages, as JSON: the form that the CLI, the API and the pytest fixture show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workmail_flow.step_log import read_step_log
from workmail_local.records import Delivery, RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workmail_local.records import Attempt, Flow, Message, RecipientOutcome
    from workmail_local.store.store import Store


@dataclass(frozen=True, slots=True)
class Reports:
    """Reads reports from the store.

    Args:
        store: Holds the messages.
        event_of: Returns the event of a flow that runs a function.
    """

    store: Store
    event_of: Callable[[Flow], dict[str, Any]]

    def summary(self, message: Message, *, seq: int | None = None) -> dict[str, Any]:
        """Return what a list shows of a message."""
        flows = self.store.flows(message)
        return {
            "id": message.id,
            **({} if seq is None else {"seq": seq}),
            "receivedAt": timestamp(message.received_at),
            "source": message.source,
            "direction": message.direction.value,
            "mailFrom": message.mail_from,
            "subject": message.head.subject,
            "size": message.size,
            "state": state_of(flows),
            "failure": self._failure(flows),
            "succeeded": all(flow.run in (RunState.NONE, RunState.SUCCEEDED) for flow in flows),
            "attempts": sum(flow.attempts for flow in flows),
            "recipients": [
                _recipient(flow, recipient, outcome) for flow in flows for recipient, outcome in self._recipients(flow)
            ],
        }

    def detail(self, message: Message) -> dict[str, Any]:
        """Return everything about a message: each flow's event, attempts, replies and outcomes."""
        flows = self.store.flows(message)
        return self.summary(message) | {
            "sender": message.head.sender,
            "from": message.head.from_,
            "envelopeRecipients": list(message.recipients),
            "flows": [self._flow(flow) for flow in flows],
        }

    def logs(self, message: Message) -> list[dict[str, Any]]:
        """Return what the functions wrote, one entry per invocation."""
        return [
            {
                "message": message.id,
                "rule": flow.rule.name if flow.rule else None,
                "attempt": attempt.number,
                "startedAt": timestamp(attempt.started_at),
                "endedAt": timestamp(attempt.ended_at),
                "requestId": attempt.request_id,
                "log": attempt.log,
            }
            for flow in self.store.flows(message)
            for attempt in self.store.attempts(flow.id)
        ]

    def _recipients(self, flow: Flow) -> list[tuple[str, RecipientOutcome | None]]:
        outcomes = self.store.outcomes(flow.id)
        if not outcomes:
            return [(recipient, None) for recipient in flow.recipients]
        return [(outcome.recipient, outcome) for outcome in outcomes]

    def _failure(self, flows: Sequence[Flow]) -> str | None:
        """Return what became of the first flow whose function failed for good, and why; None if none has."""
        flow = next((each for each in flows if each.run is RunState.FAILED), None)
        if flow is None:
            return None
        what = f"fallback {flow.rule.fallback}" if flow.rule and flow.rule.fallback else "function failed"
        *_, last = self.store.attempts(flow.id)
        why = ": ".join(filter(None, (last.outcome.value, last.error_type)))
        return f"{what} after {flow.attempts} attempt{'s' if flow.attempts > 1 else ''}: {why}"

    def _flow(self, flow: Flow) -> dict[str, Any]:
        details = self.store.flow_details(flow.id)
        failure = details["failure_record"]
        runs = flow.run is not RunState.NONE
        return {
            "messageId": flow.id,
            "invocationId": flow.invocation_id,
            "organizationId": flow.organization_id,
            "rule": None if flow.rule is None else flow.rule.to_json(),
            "why": flow.why,
            "delivery": flow.delivery.value,
            "run": flow.run.value,
            "heldBecause": flow.held_because,
            "event": self.event_of(flow) if runs else None,
            "attempts": [_attempt(attempt) for attempt in self.store.attempts(flow.id)],
            "updates": details["version"],
            "deliveredUpdate": details["delivered_version"] or 0,
            "failureRecord": json.loads(failure) if failure else None,
        }


def state_of(flows: Sequence[Flow]) -> str:
    """Return the state of a whole message, which is that of its slowest flow."""
    if any(flow.held_because for flow in flows):
        return "held"
    if any(flow.delivery is not Delivery.DONE for flow in flows):
        return "in transit"
    if any(flow.run is RunState.PENDING for flow in flows):
        return "delivered, function running"
    return "done"


def timestamp(seconds: float | None) -> str | None:
    """Return seconds since the epoch as RFC 3339."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _recipient(flow: Flow, recipient: str, outcome: RecipientOutcome | None) -> dict[str, Any]:
    return {
        "recipient": recipient,
        "rule": flow.rule.name if flow.rule else None,
        "action": outcome.action if outcome else None,
        "why": (outcome.reason if outcome else None) or flow.held_because or "waiting for the function",
        "bounceMessage": outcome.bounce_message if outcome else None,
        "added": outcome.added if outcome else False,
        "place": outcome.place if outcome else None,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "startedAt": timestamp(attempt.started_at),
        "endedAt": timestamp(attempt.ended_at),
        "durationS": round(attempt.duration_s, 6),
        "outcome": attempt.outcome.value,
        "errorType": attempt.error_type,
        "error": attempt.error,
        "reply": attempt.decoded_reply,
        "requestId": attempt.request_id,
        "fault": attempt.fault,
        "findings": list(attempt.findings),
        "steps": read_step_log(attempt.log)[0],
        "log": attempt.log,
    }
