"""The email flow rules that a synthesized app or a deployed stack declares, read back from its templates' metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.rule_set import RuleSet
from workmail_flow.template import DeclaredRules, TemplateError, declared_rule_sets, spell_intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_NESTED_TEMPLATE_SUFFIX: Final = ".nested.template.json"


def from_cloud_assembly(folder: Path) -> tuple[DeclaredRules, ...]:
    """Read the rules of a synthesized app, `cdk.out`: one entry an organization, its rules of all stacks together.

    Stacks in stages and nested stacks are read too. What only a deployment decides, such as the ARN of a function, is
    given in words that say where it will stand.

    Raises:
        TemplateError: The folder is no cloud assembly, or a template's metadata is not what this release writes.
    """
    declared = [
        of_organization
        for stack_name, template in _templates(folder)
        for of_organization in declared_rule_sets(template, resolve=_where_to_find(stack_name, template))
    ]
    return merge_by_organization(declared)


def from_deployed_stack(stack_name: str, *, region: str | None = None) -> tuple[DeclaredRules, ...]:
    """Read the rules of a deployed stack, and of the stacks nested in it, with the values the deployment decided.

    Uses boto3 with the caller's credentials: `cloudformation:GetTemplate`, `DescribeStacks`, `ListStackResources`.

    Args:
        stack_name: The stack's name or id.
        region: Where it is deployed; the caller's default Region if not given.

    Raises:
        botocore.exceptions.ClientError: There is no such stack, or no permission to read it.
        TemplateError: The template's metadata is not what this release writes.
    """
    import boto3

    cloudformation = boto3.client("cloudformation", region_name=region)
    return merge_by_organization(list(_deployed(cloudformation, stack_name)))


def shown_by_deployed_stack(stack_name: str, *, region: str | None = None) -> dict[str, str]:
    """Return what a deployed stack's outputs show, by the words that `from_cloud_assembly` has for each.

    Uses boto3 with the caller's credentials: `cloudformation:DescribeStacks`.
    """
    import boto3

    (stack,) = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=stack_name)["Stacks"]
    return {
        place_of_output(output["OutputKey"], stack["StackName"]): output["OutputValue"]
        for output in stack.get("Outputs", [])
    }


def merge_by_organization(declared: Sequence[DeclaredRules]) -> tuple[DeclaredRules, ...]:
    """Join entries of the same organization, rules in the order given."""
    by_id: dict[str, list[DeclaredRules]] = {}
    for of_organization in declared:
        by_id.setdefault(of_organization.organization_id, []).append(of_organization)
    return tuple(
        DeclaredRules(
            organization_id=organization_id,
            organization_arn=parts[0].organization_arn,
            domains=tuple(dict.fromkeys(domain for part in parts for domain in part.domains)),
            rules=RuleSet(rule for part in parts for rule in part.rules),
        )
        for organization_id, parts in by_id.items()
    )


def place_of_output(output: str, stack_name: str) -> str:
    """Say in words that a value is shown by a stack's output."""
    return f"the output {output} of stack {stack_name}"


def place_of_value(value: object, stack_name: str) -> str:
    """Say in words which value of a stack an intrinsic stands for."""
    text = spell_intrinsic(value)
    return f"{text} of stack {stack_name}" if text.startswith("${") else text


def _where_to_find(stack_name: str, template: Mapping[str, Any]) -> Callable[[object], str]:
    # Of several outputs with one value CDK's own exports, which come last, have the names that say least.
    outputs = {_key(output.get("Value")): name for name, output in reversed(template.get("Outputs", {}).items())}

    def resolve(intrinsic: object) -> str:
        output = outputs.get(_key(intrinsic))
        return place_of_output(output, stack_name) if output else place_of_value(intrinsic, stack_name)

    return resolve


def _key(intrinsic: object) -> str:
    return json.dumps(intrinsic, sort_keys=True)


def _templates(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    manifest = _read_json(folder / "manifest.json")
    for name, artifact in manifest.get("artifacts", {}).items():
        properties = artifact.get("properties", {})
        match artifact.get("type"):
            case "aws:cloudformation:stack":
                yield properties.get("stackName", name), _read_json(folder / properties["templateFile"])
            case "cdk:asset-manifest":
                for asset in _read_json(folder / properties["file"]).get("files", {}).values():
                    file = asset.get("source", {}).get("path", "")
                    if file.endswith(_NESTED_TEMPLATE_SUFFIX):
                        yield file.removesuffix(_NESTED_TEMPLATE_SUFFIX), _read_json(folder / file)
            case "cdk:cloud-assembly":
                yield from _templates(folder / properties["directoryName"])


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        message = f"{file}: not found; a folder that `cdk synth` wrote is needed, usually cdk.out"
        raise TemplateError(message) from None
    except ValueError as error:
        message = f"{file}: not JSON ({error}); synthesize the app again"
        raise TemplateError(message) from None
    if not isinstance(content, dict):
        message = f"{file}: found {type(content).__name__}, a JSON object is needed; synthesize the app again"
        raise TemplateError(message)
    return content


def _deployed(cloudformation: Any, stack_name: str) -> Iterator[DeclaredRules]:
    template = _parsed(cloudformation.get_template(StackName=stack_name)["TemplateBody"])
    (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    yield from declared_rule_sets(template, resolve=_DeployedValues(template, stack, resources).resolve)
    for resource in resources:
        if resource["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from _deployed(cloudformation, resource["PhysicalResourceId"])


def _parsed(body: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(body, dict):  # boto3 has parsed a JSON template already
        return body
    import yaml  # the CDK CLI sends a small template of an account without bootstrap bucket as YAML

    template = yaml.safe_load(body)
    return template if isinstance(template, dict) else {}


class _DeployedValues:
    """Turns a template's intrinsics into what a deployed stack made of them."""

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
        """Return what `value` became, or where it stands if this stack does not tell."""
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
