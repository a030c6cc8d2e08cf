"""What a template refers to, and its intrinsic functions: moto's, with the gaps closed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.cloudformation.parsing import LazyDict, ResourceMap, clean_json, parse_condition
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

if TYPE_CHECKING:
    from workmail_local.aws.cloudformation.provider import ResourceRequest

_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
# SECRET-ID:SecretString:JSON-KEY:…, where an ARN as the id has six colons of its own.
_SECRET = re.compile(r"((?:arn:[^:]+:[^:]+:[^:]*:[^:]*:secret:)?[^:]+)(?::SecretString(?::([^:]*))?)?")


@dataclass(slots=True)
class MadeResource:
    """A resource that exists, with what it was made from."""

    request: ResourceRequest
    resource: Any
    retained: bool

    @property
    def physical_id(self) -> str:
        """The resource's physical id; the name it was made under where moto's model has none."""
        try:
            return str(self.resource.physical_resource_id)
        except (AttributeError, NotImplementedError):
            return self.request.name


class Resolver(ResourceMap):
    """moto's map of what Ref may name: resources, parameters, pseudo parameters and mappings.

    Attributes:
        made: The existing resources by logical id.
        made_up_attributes: `LogicalId.Attribute` of attributes that no model has, which got a made-up value.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.made: dict[str, MadeResource] = {}
        self.made_up_attributes: set[str] = set()
        super().__init__(*args, **kwargs)

    def __getitem__(self, key: str) -> Any:
        """A resource, parameter, pseudo parameter or mapping; moto would make a resource when it is looked up."""
        return self._parsed_resources[key]

    def resolve(self, node: Any) -> Any:
        """A part of the template with its intrinsic functions and dynamic references resolved.

        moto leaves `AWS::NoValue` in lists as null, does not know dynamic references, and fails on an attribute that
        its model lacks. Such an attribute gets a made-up value here and is reported with the resources kept as data.

        Raises:
            ValidationError: A reference leads nowhere.
        """
        if isinstance(node, str):
            return _DYNAMIC_REFERENCE.sub(lambda match: self._dynamic_reference(match[1], match[2]), node)
        if isinstance(node, list):
            return [item for item in map(self.resolve, node) if item is not None]
        if isinstance(node, dict):
            if "Fn::GetAtt" in node:
                return self._attribute(node["Fn::GetAtt"])
            if "Ref" in node:
                return self._reference(node["Ref"])
        return clean_json(node, self)  # which calls `resolve` for the parts: see moto_patches

    def load_conditions(self) -> None:
        """Load the conditions so that their references resolve; moto gives them a bare dict."""
        self.lazy_condition_map = LazyDict()
        for name, condition in self._template.get("Conditions", {}).items():
            self.lazy_condition_map[name] = lambda condition=condition: parse_condition(
                condition, self, self.lazy_condition_map
            )

    def holds(self, condition: str | None) -> bool:
        """Whether a condition of the template holds; without a condition, everything is wanted."""
        return condition is None or bool(self.lazy_condition_map[condition])

    def parse_ssm_parameter(self, value: str, value_type: str) -> Any:
        """The value of a parameter of type `AWS::SSM::Parameter::…`.

        Raises:
            ValidationError: There is no such parameter; moto fails with an AttributeError.
        """
        parameter = ssm_backends[self._account_id][self._region_name].get_parameter(value)
        if parameter is None:
            raise ValidationError(message=f"Unable to fetch parameters [{value}] from parameter store")
        return parameter.value.split(",") if "List" in value_type else parameter.value

    def validate_outputs(self) -> None:
        """Check nothing: resolving an output shows what is wrong with it, and moto's check refuses unknown types."""

    def _reference(self, name: str) -> Any:
        if name in self.made:
            return self.made[name].physical_id
        if name not in self._parsed_resources:
            raise ValidationError(message=f"Unresolved resource dependencies [{name}] in the template")
        return self._parsed_resources[name]

    def _attribute(self, operand: str | list[str]) -> Any:
        logical_id, _, name = (operand if isinstance(operand, str) else ".".join(operand)).partition(".")
        made = self.made.get(logical_id)
        if made is None:
            raise ValidationError(
                message=f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
            )
        try:
            return made.resource.get_cfn_attribute(name)
        except (UnformattedGetAttTemplateException, NotImplementedError, AttributeError):
            if name.endswith("Arn") and hasattr(made.resource, "arn"):
                return made.resource.arn
            self.made_up_attributes.add(f"{logical_id}.{name}")
            return f"{made.request.name}.{name}"

    def _dynamic_reference(self, service: str, reference: str) -> str:
        if service == "secretsmanager":
            return self._secret(reference)
        name, _, _version = reference.partition(":")
        parameter = ssm_backends[self._account_id][self._region_name].get_parameter(name)
        if parameter is None:
            raise ValidationError(message=f"Parameter {name} of {{{{resolve:{service}:…}}}} does not exist")
        return str(parameter.value)

    def _secret(self, reference: str) -> str:
        found = _SECRET.match(reference)
        secret_id, key = found.groups() if found else (reference, None)
        secrets = secretsmanager_backends[self._account_id][self._region_name]
        try:
            value: str = secrets.get_secret_value(secret_id, "", "AWSCURRENT")["SecretString"]
            return str(json.loads(value)[key]) if key else value
        except Exception as error:
            raise ValidationError(message=f"{{{{resolve:secretsmanager:{reference}}}}}: {error}") from error
