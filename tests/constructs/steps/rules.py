"""Rules of one step, and what is packed for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.constructs.stacks import ORGANIZATION_ID
from workmail_constructs import FallbackAction, FlowDirection, Run, RunLambdaRule, WorkMailOrganization

if TYPE_CHECKING:
    from aws_cdk import Stack
    from constructs import Construct

    from workmail_constructs.steps.step import Step


def new_rule_of(scope: Construct, *steps: Step, name: str = "Rule", **arguments: Any) -> RunLambdaRule[Any]:
    """Declare an inbound rule that runs steps; its fallback delivers nothing."""
    organization = WorkMailOrganization.from_organization_id(scope, f"{name}Org", ORGANIZATION_ID)
    run = Run.synchronous(fallback=FallbackAction.BOUNCE)
    defaults: dict[str, Any] = {"organization": organization, "direction": FlowDirection.INBOUND, "run": run}
    return RunLambdaRule(scope, name, steps=steps, **{**defaults, **arguments})


def packed_code(stack: Stack) -> Path:
    """Return the folder that the rule's function is made of."""
    assembly = stack.node.root.synth()  # type: ignore[attr-defined]
    (file,) = Path(assembly.directory).glob("asset.*/workmail_steps.json")
    return file.parent


def configuration_of(stack: Stack, step: Step) -> dict[str, Any]:
    """Return the keyword arguments that the step's function gets, as they are packed."""
    new_rule_of(stack, step)
    (entry,) = json.loads((packed_code(stack) / "workmail_steps.json").read_text())["steps"]
    configuration: dict[str, Any] = entry["configuration"]
    return configuration
