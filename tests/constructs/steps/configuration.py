"""What the steps of a rule are packed with, and what its role may do for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import App, Stack

from tests.constructs.stacks import new_rule, rights_of

if TYPE_CHECKING:
    from workmail_constructs.steps.step import Step


def packed_configuration(stack: Stack, *steps: Step, **arguments: Any) -> list[dict[str, Any]]:
    """Declare a rule with steps, synthesize the app, and return the configuration of each step as it is packed."""
    new_rule(stack, code=None, steps=list(steps), **arguments)
    app = stack.node.root
    assert isinstance(app, App)
    assembly = Path(app.synth().directory)
    (file,) = assembly.glob("asset.*/workmail_steps.json")
    return [step["configuration"] for step in json.loads(file.read_text("utf-8"))["steps"]]


def step_rights(stack: Stack) -> list[dict[str, Any]]:
    """Return the statements of the role's policy, without those for the log and the table of what is done once."""
    return [
        {name: statement[name] for name in ("Action", "Resource", "Condition") if name in statement}
        for statement in rights_of(stack)
        if "dynamodb:UpdateItem" not in statement["Action"]
    ]
