"""A stack as the local WorkMail needs it: functions, the policies around them and the declared rules, resolved."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.awslambda.utils import get_backend
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from workmail_flow.arns import UNPUBLISHED
from workmail_flow.template import METADATA_KEY
from workmail_local.aws.cloudformation.providers import provider_for
from workmail_local.deployment import MAX_EVENT_AGE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.aws.cloudformation.lambda_providers import DeployableFunction
    from workmail_local.aws.cloudformation.local_stack import LocalStack

_DEFAULT_MEMORY_MB = 128
_DEFAULT_TIMEOUT_S = 3
_DEFAULT_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is saved of a stack.

    Attributes:
        content: The content of `deployment.json`.
        code: Zips by their path in the stack's folder.
    """

    content: dict[str, Any]
    code: dict[str, bytes]


def take_snapshot(stack: LocalStack) -> Snapshot:
    """Read a stack back from its resolved resources."""
    functions = functions_snapshot(stack)
    metadata = stack.template_dict.get("Metadata", {}).get(METADATA_KEY)
    if stack.status == "DELETE_FAILED":  # what the rules refer to may be gone
        metadata = None
    content = {
        **functions.content,
        "metadata": {} if metadata is None else {METADATA_KEY: stack.resource_map.resolve(metadata)},
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack.outputs or ()},
        "data_only": _data_only(stack),
        "resources": sorted(stack.resource_map.made),
        "last_event": str(stack.events[-1].event_id),
    }
    return Snapshot(content, functions.code)


def functions_snapshot(stack: LocalStack) -> Snapshot:
    """Read back the functions, and the policies around them, that a stack has so far: it may still be being made."""
    code: dict[str, bytes] = {}
    content = {
        "stack": stack.name,
        "region": stack.region_name,
        "account": stack.account_id,
        "functions": list(_functions(stack, code)),
        "function_policies": _function_policies(stack),
        "role_policies": _role_policies(stack),
        "bucket_policies": _bucket_policies(stack),
    }
    return Snapshot(content, code)


def _data_only(stack: LocalStack) -> list[str]:
    types = {logical_id: made.request.type for logical_id, made in stack.resource_map.made.items()}
    resources = [f"{logical_id} ({name})" for logical_id, name in types.items() if not provider_for(name).real]
    attributes = [
        f"{attribute} (attribute of {types[logical_id]})"
        for attribute in stack.resource_map.made_up_attributes
        if (logical_id := attribute.partition(".")[0]) in types and provider_for(types[logical_id]).real
    ]
    return sorted(resources) + sorted(attributes)


def _resources(stack: LocalStack, *types: str) -> Iterator[tuple[dict[str, Any], Any]]:
    for made in stack.resource_map.made.values():
        if made.request.type in types:
            yield made.request.properties, made.resource


def _functions(stack: LocalStack, code: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    backend = get_backend(stack.account_id, stack.region_name)
    configurations = {
        (_function_name(properties["FunctionName"]), properties.get("Qualifier", UNPUBLISHED)): properties
        for properties, _ in _resources(stack, "AWS::Lambda::EventInvokeConfig")
    }

    def entry(arn: str, function: DeployableFunction, qualifier: str) -> dict[str, Any]:
        configuration = configurations.get((function.function_name, qualifier), {})
        return _function_entry(arn, function, configuration, stack, code)

    for _, function in _resources(stack, "AWS::Lambda::Function"):
        yield entry(function.function_arn, function, UNPUBLISHED)
    for _, version in _resources(stack, "AWS::Lambda::Version"):
        published: Any = backend.get_function(version.physical_resource_id)
        yield entry(version.physical_resource_id, published, version.version)
    for properties, alias in _resources(stack, "AWS::Lambda::Alias"):
        target: Any = backend.get_function(properties["FunctionName"], str(properties["FunctionVersion"]))
        yield entry(alias.physical_resource_id, target, properties["Name"])


def _function_entry(
    arn: str, function: DeployableFunction, configuration: dict[str, Any], stack: LocalStack, code: dict[str, bytes]
) -> dict[str, Any]:
    declared = function.declared
    backend = get_backend(stack.account_id, stack.region_name)
    layers = {layer: backend.layers_versions_by_arn(layer) for layer in declared.get("Layers", ())}
    destination = configuration.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    dead_letters = declared.get("DeadLetterConfig", {}).get("TargetArn")
    is_image = "ImageUri" in declared["Code"]
    return {
        "arn": arn,
        "name": function.function_name,
        "runtime": declared.get("Runtime", ""),
        "handler": declared.get("Handler", ""),
        "code": "" if is_image else _add_code(code, function.code_bytes),
        "layers": [_add_code(code, layer.code_bytes) for layer in layers.values() if layer is not None],
        "missing_layers": [arn for arn, layer in layers.items() if layer is None],
        "environment": {
            name: str(value) for name, value in declared.get("Environment", {}).get("Variables", {}).items()
        },
        "memory_mb": declared.get("MemorySize", _DEFAULT_MEMORY_MB),
        "timeout_s": declared.get("Timeout", _DEFAULT_TIMEOUT_S),
        "architecture": declared.get("Architectures", ["x86_64"])[0],
        "role_arn": declared["Role"],
        "on_failure_arn": destination or dead_letters,
        "max_retries": int(configuration.get("MaximumRetryAttempts", _DEFAULT_RETRIES)),
        "max_event_age_s": float(configuration.get("MaximumEventAgeInSeconds", MAX_EVENT_AGE_S)),
        "package_type": "Image" if is_image else "Zip",
        "version": str(function.version),
    }


def _add_code(code: dict[str, bytes], content: bytes) -> str:
    path = f"code/{hashlib.sha256(content).hexdigest()}.zip"
    code[path] = content
    return path


def _function_name(name_or_arn: str) -> str:
    return name_or_arn.partition(":function:")[2].partition(":")[0] or name_or_arn.partition(":")[0]


def _function_policies(stack: LocalStack) -> dict[str, list[dict[str, Any]]]:
    policies: dict[str, list[dict[str, Any]]] = {}
    for properties, resource in _resources(stack, "AWS::Lambda::Permission"):
        name = properties["FunctionName"]
        arn = (
            name
            if name.startswith("arn:")
            else f"arn:aws:lambda:{stack.region_name}:{stack.account_id}:function:{name}"
        )
        statement = _permission_statement(properties, resource.physical_resource_id, arn)
        policies.setdefault(arn, []).append(statement)
    return policies


# How AddPermission writes its parameters into a policy.
_PERMISSION_CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
}


def _permission_statement(properties: dict[str, Any], statement_id: str, arn: str) -> dict[str, Any]:
    principal = str(properties["Principal"])
    who: Any = {"AWS": principal}
    if principal == "*":
        who = "*"
    elif "." in principal:
        who = {"Service": principal}
    conditions: dict[str, dict[str, str]] = {}
    for name, (operator, key) in _PERMISSION_CONDITIONS.items():
        if name in properties:
            conditions.setdefault(operator, {})[key] = str(properties[name])
    statement = {
        "Sid": statement_id,
        "Effect": "Allow",
        "Principal": who,
        "Action": properties["Action"],
        "Resource": arn,
    }
    return {**statement, "Condition": conditions} if conditions else statement


def _role_policies(stack: LocalStack) -> dict[str, list[dict[str, Any]]]:
    policies: dict[str, list[dict[str, Any]]] = {}

    def add(role_arn: str, document: Any) -> None:
        policies.setdefault(role_arn, []).extend(_statements(document))

    for properties, role in _resources(stack, "AWS::IAM::Role"):
        policies.setdefault(role.arn, [])
        for policy in properties.get("Policies", ()):
            add(role.arn, policy["PolicyDocument"])
        for arn in properties.get("ManagedPolicyArns", ()):
            add(role.arn, _managed_policy(stack, arn))
    for properties, _ in _resources(stack, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name in properties.get("Roles", ()):
            add(_role_arn(stack, name), properties["PolicyDocument"])
    for properties, _ in _resources(stack, "AWS::IAM::RolePolicy"):
        add(_role_arn(stack, properties["RoleName"]), properties.get("PolicyDocument", {}))
    return policies


def _role_arn(stack: LocalStack, name: str) -> str:
    try:
        return str(iam_backends[stack.account_id]["aws"].get_role(name).arn)
    except NotFoundException:
        return f"arn:aws:iam::{stack.account_id}:role/{name}"


def _managed_policy(stack: LocalStack, arn: str) -> Any:
    if arn.startswith("arn:aws:iam::aws:policy/"):
        return _aws_managed_policies().get(arn, {})
    policy = iam_backends[stack.account_id]["aws"].managed_policies.get(arn)
    return {} if policy is None else json.loads(policy.versions[0].document)


@cache
def _aws_managed_policies() -> dict[str, Any]:
    # Parsed here and only when needed: moto takes a second at every start to load them into its IAM.
    return {
        f"arn:aws:iam::aws:policy{policy['Path']}{name}": policy["Document"]
        for name, policy in json.loads(aws_managed_policies_data).items()
    }


def _bucket_policies(stack: LocalStack) -> dict[str, list[dict[str, Any]]]:
    policies: dict[str, list[dict[str, Any]]] = {}
    for properties, _ in _resources(stack, "AWS::S3::BucketPolicy"):
        policies.setdefault(properties["Bucket"], []).extend(_statements(properties["PolicyDocument"]))
    return policies


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)
