"""Constructs that are made without the checks of CDK's Python classes are the same, and wrong values fail the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_lambda import Architecture, Code, Function, FunctionProps, Runtime

from tests.constructs.stacks import new_rule, new_stack
from workmail_constructs.unchecked import unchecked

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import Stack

new_function = unchecked(Function, FunctionProps)


def _made(make: Callable[..., Function], stack: Stack, **more: Any) -> Function:
    return make(
        stack,
        "Function",
        runtime=Runtime.PYTHON_3_13,
        architecture=Architecture.ARM_64,
        code=Code.from_inline("x"),
        handler="index.handler",
        timeout=Duration.seconds(14),
        environment={"NAME": "value"},
        role=Role(stack, "Role", assumed_by=ServicePrincipal("lambda.amazonaws.com")),
        dead_letter_queue=None,
        **more,
    )


def test_it_makes_what_cdk_makes() -> None:
    stacks = [new_stack(), new_stack()]
    for make, stack in zip((Function, new_function), stacks, strict=True):
        _made(make, stack)

    checked, not_checked = (Template.from_stack(stack).to_json() for stack in stacks)
    assert not_checked == checked


def test_cdk_knows_it_as_the_same_object() -> None:
    stack = new_stack()

    made = _made(new_function, stack)

    assert stack.node.find_child("Function") is made


@pytest.mark.parametrize("make", [Function, new_function])
def test_a_value_of_a_wrong_type_is_named_as_by_cdk(make: Callable[..., Function]) -> None:
    with pytest.raises(TypeError, match="type of argument memory_size must be one of"):
        _made(make, new_stack(), memory_size="256")


@pytest.mark.parametrize("make", [Function, new_function])
def test_what_cdk_finds_wrong_is_said_as_cdk_says_it(make: Callable[..., Function]) -> None:
    with pytest.raises(RuntimeError, match="description can not be longer than 256 characters"):
        _made(make, new_stack(), description="x" * 257)


def test_an_option_of_a_wrong_type_is_named() -> None:
    with pytest.raises(TypeError, match="type of argument memory_size must be one of"):
        new_rule(new_stack(), memory_size="256")
