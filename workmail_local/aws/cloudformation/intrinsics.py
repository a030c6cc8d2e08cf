"""moto's intrinsic functions, mended."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

if TYPE_CHECKING:
    from workmail_local.aws.cloudformation.stack_resources import StackResources

_moto_clean_json = parsing.clean_json
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")


def resolve(node: Any, resources: StackResources) -> Any:
    """A part of the template with its intrinsic functions and dynamic references resolved.

    moto leaves `AWS::NoValue` in lists as null, does not know dynamic references, and fails on an attribute that its
    model lacks; such an attribute gets a made-up value here, which is reported with the resources kept as data.

    Raises:
        ValidationError: A reference leads nowhere.
    """
    if isinstance(node, str):
        return _DYNAMIC_REFERENCE.sub(lambda match: _dynamic(match[1], match[2], resources), node)
    if isinstance(node, list):
        return [item for item in (resolve(item, resources) for item in node) if item is not None]
    if isinstance(node, dict):
        if "Fn::GetAtt" in node:
            return _attribute(node["Fn::GetAtt"], resources)
        if "Ref" in node:
            return resources.reference(node["Ref"])
    return _moto_clean_json(node, resources)


def _attribute(operand: Any, resources: StackResources) -> Any:
    logical_id, _, name = (operand if isinstance(operand, str) else ".".join(operand)).partition(".")
    if logical_id not in resources:
        raise ValidationError(
            message=f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
        )
    request, resource = resources.made()[logical_id]
    try:
        return resource.get_cfn_attribute(name)
    except (UnformattedGetAttTemplateException, NotImplementedError, AttributeError):
        if name.endswith("Arn") and hasattr(resource, "arn"):
            return resource.arn
        resources.made_up_attributes.add(f"{logical_id}.{name}")
        return f"{request.name}.{name}"


def _dynamic(service: str, reference: str, resources: StackResources) -> str:
    if service.startswith("ssm"):
        name, _, _version = reference.partition(":")
        parameter = ssm_backends[resources.account][resources.region].get_parameter(name)
        if parameter is None:
            raise ValidationError(message=f"Parameter {name} of {{{{resolve:{service}:…}}}} does not exist")
        return str(parameter.value)
    return _secret(reference, resources)


def _secret(reference: str, resources: StackResources) -> str:
    # SECRET-ID:SecretString:JSON-KEY:…, where an ARN as the id has six colons of its own.
    found = re.match(r"((?:arn:[^:]+:[^:]+:[^:]*:[^:]*:secret:)?[^:]+)(?::SecretString(?::([^:]*))?)?", reference)
    secret_id, key = found.groups() if found else (reference, None)
    try:
        value: str = secretsmanager_backends[resources.account][resources.region].get_secret_value(
            secret_id, "", "AWSCURRENT"
        )["SecretString"]
        return str(json.loads(value)[key]) if key else value
    except Exception as error:
        raise ValidationError(message=f"{{{{resolve:secretsmanager:{reference}}}}}: {error}") from error


def install() -> None:
    """Have moto resolve with `resolve`, in its own recursion too."""
    parsing.clean_json = resolve  # type: ignore[assignment]
