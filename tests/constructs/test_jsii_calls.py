"""What a rule costs to synthesize: a call into Node.js costs about as much as a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import synth

if TYPE_CHECKING:
    from pathlib import Path


def test_each_further_rule_costs_eight_calls(tmp_path: Path) -> None:
    assert synth.calls_a_rule(synth.ours, str(tmp_path)) <= 8


def test_the_alternative_that_is_measured_makes_the_same_resources(tmp_path: Path) -> None:
    from aws_cdk import App, Stack
    from aws_cdk.assertions import Template

    types = []
    for build in (synth.ours, synth.by_hand):
        stack = Stack(App(outdir=str(tmp_path / build.__name__)), "Bench")
        build(stack, 2)
        template = Template.from_stack(stack).to_json()
        types.append(
            (
                sorted(each["Type"] for each in template["Resources"].values()),
                len(template["Outputs"]),
                len(template["Rules"]),
            )
        )

    assert types[0] == types[1]
