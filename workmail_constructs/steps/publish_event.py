"""An event on an EventBridge bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.stack_record import is_known
from workmail_constructs.steps.step import Step, StepOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.interfaces import AnyEventBus
    from workmail_constructs.steps.binding import StepBinding

_MAX_CHARACTERS: Final = {"source": 256, "detail_type": 128}


class PublishEvent(Step):
    """Publishes an event with the message's ids and counts, for rules of the bus to pass on; once per invocation."""

    function = "workmail_rules.publish_event:run"

    def __init__(
        self,
        bus: AnyEventBus,
        *,
        source: str = "workmail.rules",
        detail_type: str = "WorkMail Message",
        addresses: bool = False,
        subject: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        """Set where the event goes and what is in it.

        Args:
            bus: In the stack's Region.
            source: The event's `source`, at most 256 characters, not beginning with `aws.`.
            detail_type: The event's `detail-type`, at most 128 characters.
            addresses: Whether the detail has the addresses of the sender and of the recipients.
            subject: Whether the detail has the subject, cut at 256 characters (E5).
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: EventBridge would not take the source or the detail type.
        """
        super().__init__(**options)
        problems = []
        for argument, text in (("source", source), ("detail_type", detail_type)):
            most = _MAX_CHARACTERS[argument]
            if not text.strip() or (is_known(text) and len(text) > most):
                problems.append(f"{argument}: found {len(text)} characters; give 1 to {most}")
        if source.startswith("aws."):
            problems.append(f"source: found {source!r}; names that begin with aws. are those of AWS services")
        if problems:
            raise ValueError("PublishEvent: " + "; ".join(problems))
        self._bus = bus
        self._configuration = {
            "source": source,
            "detail_type": detail_type,
            "addresses": addresses,
            "subject": subject,
        }

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Allow the function to put events on this bus."""
        bus = self._bus.event_bus_arn
        binding.use_once()
        binding.grant([PolicyStatement(actions=["events:PutEvents"], resources=[bus])])
        return {**self._configuration, "bus": bus, "organization_id": binding.organization.organization_id}
