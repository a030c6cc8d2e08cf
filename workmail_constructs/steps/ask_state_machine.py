"""A state machine of Step Functions that decides about a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from aws_cdk import Fn
from aws_cdk.aws_iam import PolicyStatement
from aws_cdk.aws_stepfunctions import StateMachine, StateMachineType

from workmail_constructs.stack_record import is_known
from workmail_constructs.steps.step import OnFailure, Step, StepOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import Duration

    from workmail_constructs.interfaces import AnyStateMachine
    from workmail_constructs.steps.binding import StepBinding

_COLONS: Final = 6
"""In the ARN of a state machine; those of its versions and aliases have one more."""


class AskStateMachine(Step):
    """Lets an execution decide, whose name is the invocationId: a retry finds it, and WorkMail's retries wait for it.

    The output of the execution is a reply (R1). What cannot be had in time fails the invocation on purpose.
    """

    function = "workmail_rules.ask_state_machine:run"
    default_on_failure = OnFailure.FAIL
    guards = True

    def __init__(
        self,
        state_machine: AnyStateMachine,
        *,
        type: StateMachineType | None = None,  # noqa: A002 - Step Functions' word
        wait: Duration | None = None,
        addresses: bool = False,
        subject: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        """Set who decides, and what it is told.

        Args:
            state_machine: In the stack's account and Region, without version or alias.
            type: Whether it is standard or express; by default that of a state machine of this app, else standard.
            wait: The longest that an attempt waits for the execution; by default as long as the function has.
            addresses: Whether the input has the addresses of the sender and of the recipients. An execution that
                decides for some recipients needs them; without, it can decide for all.
            subject: Whether the input has the subject, cut at 256 characters (E5).
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: The ARN is that of a version or alias, or the wait is shorter than a second.
        """
        super().__init__(**options)
        arn = state_machine.state_machine_arn
        if is_known(arn) and arn.count(":") != _COLONS:
            raise ValueError(f"AskStateMachine: found {arn}; give the state machine itself, not a version or alias")
        wait_s = None if wait is None else wait.to_milliseconds() / 1000
        if wait_s is not None and wait_s < 1:
            raise ValueError(f"AskStateMachine: wait: found {wait_s:g} s; give a second or more")
        if type is None and isinstance(state_machine, StateMachine):
            type = state_machine.state_machine_type  # noqa: A001
        self._state_machine_arn = arn
        self._is_express = type is StateMachineType.EXPRESS
        self._configuration = {
            "express": self._is_express,
            "wait_s": wait_s,
            "addresses": addresses,
            "subject": subject,
        }

    @property
    def decides(self) -> bool:
        """The step decides about delivery."""
        return True

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Allow the function to start executions of this state machine, and to look at them."""
        arn = self._state_machine_arn
        if self._is_express:
            binding.use_once()
            binding.grant([PolicyStatement(actions=["states:StartSyncExecution"], resources=[arn])])
        else:
            binding.grant(
                [
                    PolicyStatement(actions=["states:StartExecution"], resources=[arn]),
                    PolicyStatement(actions=["states:DescribeExecution"], resources=[self._executions(binding)]),
                ]
            )
        # Two steps of a rule that ask the same state machine need two executions; their names differ.
        suffix = "" if binding.name == type(self).__name__ else f"-{binding.name}"
        return {
            **self._configuration,
            "state_machine": arn,
            "name_suffix": suffix,
            "organization_id": binding.organization.organization_id,
        }

    def _executions(self, binding: StepBinding) -> str:
        arn = self._state_machine_arn
        if is_known(arn):
            return f"{arn.replace(':stateMachine:', ':execution:', 1)}:*"
        record = binding.record
        name = Fn.select(_COLONS, Fn.split(":", arn))
        return f"arn:aws:states:{record.region}:{record.account}:execution:{name}:*"
