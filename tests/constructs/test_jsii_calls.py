"""What a rule costs to synthesize: a call into Node.js costs about as much as a resource."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_lambda import Function, FunctionProps

from bench import synth
from tests.constructs.stacks import new_rule, new_stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_each_further_rule_costs_eight_calls(tmp_path: Path) -> None:
    assert synth.calls_a_rule(synth.ours, str(tmp_path)) == 8


def test_a_function_is_made_without_the_checks_of_sixty_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FunctionProps, "__init__", None)  # where CDK's constructor checks them

    rule = new_rule(new_stack(), memory_size=512)

    assert type(rule.function) is Function


def test_the_alternative_that_is_measured_makes_the_same_template(tmp_path: Path) -> None:
    ours, by_hand = (_template(build, tmp_path / build.__name__) for build in (synth.ours, synth.by_hand))

    assert ours == by_hand


def _template(build: Callable[[Stack, int], None], outdir: Path) -> dict[str, Any]:
    """Return the template of two rules, with resources, outputs and rules named by type and order."""
    stack = Stack(App(outdir=str(outdir)), "Bench")
    build(stack, 2)
    template = Template.from_stack(stack).to_json()
    types = {name: resource["Type"] for name, resource in template["Resources"].items()}
    types |= dict.fromkeys(template["Outputs"], "Output") | dict.fromkeys(template["Rules"], "Rule")
    text = json.dumps(template)
    seen: Counter[str] = Counter()
    for name, kind in types.items():
        seen[kind] += 1
        text = text.replace(f'"{name}"', f'"{kind} {seen[kind]}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed
