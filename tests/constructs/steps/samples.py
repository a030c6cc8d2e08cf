"""Rules with steps for tests, and what is packed for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import Stage

from tests.constructs.stacks import ORGANIZATION_ID, SYNCHRONOUS
from workmail_constructs import FlowDirection, RunLambdaRule, WorkMailOrganization
from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.decision import Bounce
from workmail_constructs.steps.rule_steps import packed_patterns
from workmail_constructs.steps.step import OnFailure, Step, patterns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Stack
    from constructs import Construct

    from workmail_constructs.steps.binding import StepBinding


class Listed(Step):
    """A step with a long list of addresses, for tests: what it runs is the banner's function, which is never called."""

    function = "workmail_rules.banner:run"

    def __init__(self, addresses: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self._packed = packed_patterns(patterns(addresses, argument="addresses"))

    def bind(self, binding: StepBinding) -> dict[str, object]:
        return {"addresses": self._packed, "then": Bounce("No.").configuration()}


class Guard(Listed):
    """A step that must not be skipped."""

    default_on_failure = OnFailure.FAIL
    guards = True

    @property
    def content_access(self) -> ContentAccess:
        return ContentAccess.READ


def steps_rule(scope: Construct, *steps: Step, name: str = "Rule", **arguments: Any) -> RunLambdaRule:
    """Declare the shortest useful rule with steps, changed by `arguments`."""
    organization = WorkMailOrganization.from_organization_id(
        scope, f"{name}Org", ORGANIZATION_ID, domains=arguments.pop("domains", ["example.com"])
    )
    named = {"direction": FlowDirection.INBOUND, "run": SYNCHRONOUS, "organization": organization, **arguments}
    return RunLambdaRule(scope, name, steps=list(steps), **named)


def own_step_folder(where: Path, name: str = "tag", *, text: str = "def run(message, **_): ...\n") -> Path:
    """Write a step of the user's own; return its folder."""
    folder = where / name
    folder.mkdir(parents=True)
    (folder / "step.py").write_text(text)
    return folder


def packed(stack: Stack) -> Path:
    """Return the folder of the one asset of a stack that is code with steps."""
    assembly = Stage.of(stack).synth()
    (configuration,) = Path(assembly.directory).glob("asset.*/workmail_steps.json")
    return configuration.parent


def configuration(stack: Stack) -> dict[str, Any]:
    """Return the packed configuration of the one rule with steps of a stack."""
    read: dict[str, Any] = json.loads((packed(stack) / "workmail_steps.json").read_text())
    return read
