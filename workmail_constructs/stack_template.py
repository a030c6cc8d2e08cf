"""A stack's template together with those of the stacks nested in it, since values refer from one to another."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workmail_flow.template import spell_intrinsic

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(eq=False)
class StackTemplate:
    """The template of a stack, or of a stack nested in it.

    Args:
        stack_name: The name of the stack that is deployed, for nested stacks too.
        template: The template, parsed.
        around: The stack that this one is nested in.
        logical_id: What the stack around calls this one.
    """

    stack_name: str
    template: Mapping[str, Any]
    around: StackTemplate | None = None
    logical_id: str = ""
    nested: dict[str, StackTemplate] = field(default_factory=dict)

    def nest(self, logical_id: str, template: Mapping[str, Any]) -> StackTemplate:
        """Add the template of the nested stack that this template calls `logical_id`."""
        inner = StackTemplate(self.stack_name, template, self, logical_id)
        self.nested[logical_id] = inner
        return inner

    @property
    def resources(self) -> Mapping[str, Any]:
        """The template's resources, by their logical ids."""
        resources: Mapping[str, Any] = self.template.get("Resources", {})
        return resources

    @property
    def top_level(self) -> StackTemplate:
        """The stack that is deployed: this one, or the one around all nested stacks."""
        return self.around.top_level if self.around else self

    def source(self, value: object) -> tuple[StackTemplate, object]:
        """Follow a value to the stack that it comes from: parameters outwards, outputs of nested stacks inwards."""
        match value:
            case {"Ref": str(name)} if self.around:
                properties = self.around.resources[self.logical_id].get("Properties", {})
                if name in properties.get("Parameters", {}):
                    return self.around.source(properties["Parameters"][name])
            case {"Fn::GetAtt": [str(name), str(attribute)]} if name in self.nested:
                inner = self.nested[name]
                output = inner.template.get("Outputs", {}).get(attribute.removeprefix("Outputs."))
                if output is not None:
                    return inner.source(output.get("Value"))
        return self, value

    def output_of(self, value: object) -> str | None:
        """Return the name of the deployed stack's output that shows a value of this stack."""
        return self.top_level.sources_of_outputs.get(_key(*self.source(value)))

    @cached_property
    def sources_of_outputs(self) -> dict[tuple[StackTemplate, str], str]:
        """Where the values of the outputs come from, each with the output's name."""
        # The first of several outputs with one value wins: CDK's own exports, which say little, come last.
        outputs = reversed(self.template.get("Outputs", {}).items())
        return {_key(*self.source(output.get("Value"))): name for name, output in outputs}

    def function_of(self, arn: object) -> str:
        """Say which function, or alias or version of one, has this ARN; equal words before and after keep the ARN.

        CloudFormation keeps a function while its logical id, `FunctionName` and `PackageType` stay. A function with a
        `FunctionName` has the ARN of that name, whatever its logical id.
        """
        stack, value = self.source(arn)
        match value:
            case {"Fn::GetAtt": [str(name), "Arn"]} | {"Ref": str(name)} if name in stack.resources:
                return _function(stack, name)
            case _:
                text = spell_intrinsic(value)
                _, is_arn, name = text.partition(":function:")
                return f"function {name}" if is_arn else text

    @property
    def path(self) -> str:
        """The logical ids of the nested stacks that lead to this one, each with a slash after it."""
        return f"{self.around.path}{self.logical_id}/" if self.around else ""


def _function(stack: StackTemplate, logical_id: str) -> str:
    resource = stack.resources[logical_id]
    properties = resource.get("Properties", {})
    match resource.get("Type"):
        case "AWS::Lambda::Alias":
            alias = spell_intrinsic(properties.get("Name"))
            return f"{stack.function_of(properties.get('FunctionName'))}:{alias}"
        case "AWS::Lambda::Version":
            return f"{stack.function_of(properties.get('FunctionName'))}:{logical_id}"
    if "FunctionName" in properties:
        return f"function {spell_intrinsic(properties['FunctionName'])}"
    package = f" of package type {properties['PackageType']}" if "PackageType" in properties else ""
    return f"function {stack.path}{logical_id} of stack {stack.stack_name}{package}"


def _key(stack: StackTemplate, value: object) -> tuple[StackTemplate, str]:
    return stack, json.dumps(value, sort_keys=True)
