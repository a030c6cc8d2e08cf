"""Reads the email flow rules that a synthesized app or a deployed stack declares from its templates' metadata."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from workmail_constructs.stack_template import StackTemplate
from workmail_flow.arns import is_known_arn
from workmail_flow.rule_set import RuleSet
from workmail_flow.stack_output import StackOutput
from workmail_flow.template import DeclaredRules, TemplateError, declared_rule_sets, spell_intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_NESTED_TEMPLATE_SUFFIX: Final = ".nested.template.json"


def from_cloud_assembly(folder: Path) -> tuple[DeclaredRules, ...]:
    """Read the rules of a synthesized app, `cdk.out`: one entry per organization, with its rules from all stacks.

    Stacks in stages and nested stacks are read too. Words that say where to find it stand for a value that only a
    deployment decides, such as a function's ARN.

    Raises:
        TemplateError: The folder is not a cloud assembly, or this release cannot read a template's metadata.
    """
    return merge_by_organization([rules for stack in _stacks(folder) for rules in _declared_by(stack)])


def from_deployed_stack(stack_name: str, *, region: str | None = None) -> tuple[DeclaredRules, ...]:
    """Read the rules of a deployed stack, and of the stacks nested in it, with the values of the deployment.

    Uses boto3 with the caller's credentials: `cloudformation:GetTemplate`, `DescribeStacks`, `ListStackResources`.

    Args:
        stack_name: The stack's name or id.
        region: Its Region; by default the caller's.

    Raises:
        botocore.exceptions.ClientError: There is no such stack, or no permission to read it.
        TemplateError: This release cannot read the template's metadata.
    """
    import boto3

    cloudformation = boto3.client("cloudformation", region_name=region)
    # All of them are read before any is resolved: a value may come from a nested stack.
    stacks = list(_deployed(cloudformation, stack_name))
    return merge_by_organization(
        [
            replace(rules, stacks=(stack.stack_name,))
            for stack, values in stacks
            for rules in declared_rule_sets(stack.template, resolve=values.resolve, function_of=stack.function_of)
        ]
    )


def merge_by_organization(declared: Sequence[DeclaredRules]) -> tuple[DeclaredRules, ...]:
    """Join the entries of each organization; rules keep their order."""
    by_id: dict[str, list[DeclaredRules]] = {}
    for of_organization in declared:
        by_id.setdefault(of_organization.organization_id, []).append(of_organization)
    return tuple(
        DeclaredRules(
            organization_id=organization_id,
            organization_arn=next(
                (part.organization_arn for part in parts if is_known_arn(part.organization_arn)),
                parts[0].organization_arn,
            ),
            organization_alias=parts[0].organization_alias,
            domains=tuple(dict.fromkeys(domain for part in parts for domain in part.domains)),
            rules=RuleSet(rule for part in parts for rule in part.rules),
            stacks=tuple(dict.fromkeys(stack for part in parts for stack in part.stacks)),
            functions={function: words for part in parts for function, words in part.functions.items()},
        )
        for organization_id, parts in by_id.items()
    )


def place_of_value(value: object, stack_name: str) -> str:
    """Say in words which value of a stack an intrinsic stands for."""
    text = spell_intrinsic(value)
    return f"{text} of stack {stack_name}" if text.startswith("${") else text


def _declared_by(stack: StackTemplate) -> Iterator[DeclaredRules]:
    def resolve(value: object) -> str:
        output = stack.output_of(value)
        return (
            str(StackOutput(output, stack.stack_name))
            if output
            else place_of_value(stack.source(value)[1], stack.stack_name)
        )

    for rules in declared_rule_sets(stack.template, resolve=resolve, function_of=stack.function_of):
        yield replace(rules, stacks=(stack.stack_name,))
    for nested in stack.nested.values():
        yield from _declared_by(nested)


def _stacks(folder: Path) -> Iterator[StackTemplate]:
    """Read the stacks of a cloud assembly, each with its nested stacks."""
    artifacts = _read_json(folder / "manifest.json").get("artifacts", {})
    nested_templates = {
        content_hash: folder / asset["source"]["path"]
        for artifact in artifacts.values()
        if artifact.get("type") == "cdk:asset-manifest"
        for content_hash, asset in _read_json(folder / artifact["properties"]["file"]).get("files", {}).items()
        if asset.get("source", {}).get("path", "").endswith(_NESTED_TEMPLATE_SUFFIX)
    }
    for name, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        match artifact.get("type"):
            case "aws:cloudformation:stack":
                stack = StackTemplate(
                    properties.get("stackName", name), _read_json(folder / properties["templateFile"])
                )
                _read_nested(stack, nested_templates)
                yield stack
            case "cdk:cloud-assembly":
                yield from _stacks(folder / properties["directoryName"])


def _read_nested(stack: StackTemplate, templates: Mapping[str, Path]) -> None:
    for logical_id, resource in stack.resources.items():
        if resource.get("Type") == "AWS::CloudFormation::Stack":
            url = json.dumps(resource["Properties"].get("TemplateURL"))
            for content_hash, file in templates.items():
                if content_hash in url:
                    _read_nested(stack.nest(logical_id, _read_json(file)), templates)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        message = f"{file}: not found; give a folder that `cdk synth` wrote, usually cdk.out"
        raise TemplateError(message) from None
    except ValueError as error:
        message = f"{file}: not JSON ({error}); synthesize the app again"
        raise TemplateError(message) from None
    if not isinstance(content, dict):
        message = f"{file}: found {type(content).__name__}, allowed is a JSON object; synthesize the app again"
        raise TemplateError(message)
    return content


def _deployed(
    cloudformation: Any, stack_name: str, nest: Callable[[dict[str, Any]], StackTemplate] | None = None
) -> Iterator[tuple[StackTemplate, _DeployedValues]]:
    """Read a deployed stack and the stacks nested in it, each with its deployed values."""
    body = _parsed(cloudformation.get_template(StackName=stack_name)["TemplateBody"])
    (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    template = nest(body) if nest else StackTemplate(stack["StackName"], body)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    yield template, _DeployedValues(body, stack, resources)
    for resource in resources:
        if resource["ResourceType"] == "AWS::CloudFormation::Stack":
            nest_here = partial(template.nest, resource["LogicalResourceId"])
            yield from _deployed(cloudformation, resource["PhysicalResourceId"], nest_here)


def _parsed(body: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(body, dict):  # boto3 parses a JSON template itself
        return body
    import yaml  # without a bootstrap bucket the CDK CLI sends a small template as YAML

    template = yaml.safe_load(body)
    return template if isinstance(template, dict) else {}


def _key(intrinsic: object) -> str:
    return json.dumps(intrinsic, sort_keys=True)


class _DeployedValues:
    """Resolves a template's intrinsics to the values of a deployed stack."""

    def __init__(self, template: dict[str, Any], stack: dict[str, Any], resources: list[dict[str, Any]]) -> None:
        _, partition, _, region, account, _ = stack["StackId"].split(":", 5)
        self._stack_name: str = stack["StackName"]
        values = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        self._outputs: dict[str, str] = {
            _key(output.get("Value")): values[name]
            for name, output in template.get("Outputs", {}).items()
            if name in values
        }
        self._references: dict[str, str] = {
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::StackName": self._stack_name,
            "AWS::StackId": stack["StackId"],
        }
        for parameter in stack.get("Parameters", []):
            value = parameter.get("ResolvedValue", parameter["ParameterValue"])
            self._references[parameter["ParameterKey"]] = value
        self._function_arns: dict[str, str] = {}
        for resource in resources:
            physical_id = resource.get("PhysicalResourceId", "")
            self._references[resource["LogicalResourceId"]] = physical_id
            if resource["ResourceType"] == "AWS::Lambda::Function":
                arn = f"arn:{partition}:lambda:{region}:{account}:function:{physical_id}"
                self._function_arns[resource["LogicalResourceId"]] = arn

    def resolve(self, value: object) -> str:
        """Return the deployed value of `value`, or say where to find it if this stack does not show it."""
        shown = self._outputs.get(_key(value))
        if shown is not None:
            return shown
        match value:
            case str():
                return value
            case {"Ref": str(name)} if name in self._references:
                return self._references[name]
            case {"Fn::GetAtt": [str(name), "Arn"]} if name in self._function_arns:
                return self._function_arns[name]
            case {"Fn::Join": [str(delimiter), list(parts)]}:
                return delimiter.join(self.resolve(part) for part in parts)
            case _:
                return place_of_value(value, self._stack_name)
