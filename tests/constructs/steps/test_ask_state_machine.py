"""AskStateMachine in a rule: its configuration, its rights, and arguments that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration
from aws_cdk.assertions import Template
from aws_cdk.aws_stepfunctions import DefinitionBody, Pass, StateMachine, StateMachineType

from tests.constructs.stacks import ORGANIZATION_ID, new_rule, new_stack, properties_of, warnings_of
from tests.constructs.steps.configuration import packed_configuration, step_rights
from workmail_constructs import Run
from workmail_constructs.steps.ask_state_machine import AskStateMachine

if TYPE_CHECKING:
    from aws_cdk import Stack

MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:Decide"


def new_machine(stack: Stack, **arguments: Any) -> StateMachine:
    body = DefinitionBody.from_chainable(Pass(stack, "Decide"))
    return StateMachine(stack, "Machine", definition_body=body, **arguments)


def test_the_input_has_no_address_and_no_subject_by_default() -> None:
    stack = new_stack()
    step = AskStateMachine(StateMachine.from_state_machine_arn(stack, "Machine", MACHINE))
    (configuration,) = packed_configuration(stack, step)
    assert configuration == {
        "state_machine": MACHINE,
        "express": False,
        "name_suffix": "",
        "wait_s": None,
        "addresses": False,
        "subject": False,
        "organization_id": ORGANIZATION_ID,
    }


def test_it_may_start_executions_of_its_state_machine_and_look_at_them() -> None:
    stack = new_stack()
    packed_configuration(stack, AskStateMachine(StateMachine.from_state_machine_arn(stack, "Machine", MACHINE)))
    assert step_rights(stack) == [
        {"Action": "states:StartExecution", "Resource": MACHINE},
        {"Action": "states:DescribeExecution", "Resource": f"{MACHINE.replace('stateMachine', 'execution')}:*"},
    ]
    assert properties_of(stack, "AWS::DynamoDB::Table") == []


def test_the_executions_of_a_state_machine_of_the_stack_are_named_by_its_arn() -> None:
    stack = new_stack(env=None)
    packed_configuration(stack, AskStateMachine(new_machine(stack)))
    describe = next(each for each in step_rights(stack) if each["Action"] == "states:DescribeExecution")
    (machine,) = Template.from_stack(stack).find_resources("AWS::StepFunctions::StateMachine")
    pieces = describe["Resource"]["Fn::Join"][1]
    assert pieces == [
        "arn:aws:states:",
        {"Ref": "AWS::Region"},
        ":",
        {"Ref": "AWS::AccountId"},
        ":execution:",
        {"Fn::Select": [6, {"Fn::Split": [":", {"Ref": machine}]}]},
        ":*",
    ]


def test_an_express_state_machine_is_known_as_one_and_has_the_table_for_once() -> None:
    stack = new_stack()
    (configuration,) = packed_configuration(
        stack, AskStateMachine(new_machine(stack, state_machine_type=StateMachineType.EXPRESS))
    )
    actions = [each["Action"] for each in step_rights(stack)]
    assert (configuration["express"], "states:StartSyncExecution" in actions) == (True, True)
    assert "states:StartExecution" not in actions
    assert len(properties_of(stack, "AWS::DynamoDB::Table")) == 1


def test_two_steps_that_ask_one_state_machine_have_executions_of_their_own() -> None:
    stack = new_stack()
    machine = StateMachine.from_state_machine_arn(stack, "Machine", MACHINE)
    first, second = packed_configuration(stack, AskStateMachine(machine), AskStateMachine(machine, name="Second"))
    assert (first["name_suffix"], second["name_suffix"]) == ("", "-Second")


def test_a_fallback_that_delivers_is_warned_of() -> None:
    stack = new_stack()
    machine = StateMachine.from_state_machine_arn(stack, "Machine", MACHINE)
    new_rule(stack, code=None, steps=[AskStateMachine(machine, wait=Duration.seconds(3))])
    assert [text for _, text in warnings_of(stack) if "with AskStateMachine" in text]


def test_an_asynchronous_rule_cannot_ask() -> None:
    stack = new_stack()
    machine = StateMachine.from_state_machine_arn(stack, "Machine", MACHINE)
    with pytest.raises(ValueError, match="found AskStateMachine, which decides about delivery, on an asynchronous"):
        new_rule(stack, code=None, steps=[AskStateMachine(machine)], run=Run.asynchronous())


def test_a_version_or_alias_is_refused() -> None:
    machine = StateMachine.from_state_machine_arn(new_stack(), "Machine", f"{MACHINE}:live")
    with pytest.raises(ValueError, match="give the state machine itself, not a version or alias"):
        AskStateMachine(machine)


def test_a_wait_too_short_for_an_answer_is_refused() -> None:
    machine = StateMachine.from_state_machine_arn(new_stack(), "Machine", MACHINE)
    with pytest.raises(ValueError, match=r"wait: found 0.5 s; give a second or more"):
        AskStateMachine(machine, wait=Duration.millis(500))
