"""A stack's resources: brought to a template in dependency order, and back again when that fails."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import (
    LazyDict,
    ResourceMap,
    parse_condition,
    resource_name_property_from_type,
)
from moto.ssm.models import ssm_backends

from workmail_local.aws.cloudformation.intrinsics import resolve
from workmail_local.aws.cloudformation.provider import ResourceRequest, short_hash
from workmail_local.aws.cloudformation.providers import needs_replacement, provider_for
from workmail_local.aws.cloudformation.template_rules import failed_rules

Template = dict[str, Any]
Report = Callable[[ResourceRequest, str, str | None], None]
"""Told of each step: the resource, its CloudFormation status and, if it failed, why."""

# CloudFormation cuts generated names to what the service takes; services not named here take more than we generate.
_LONGEST_NAME = {
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Function": 64,
    "AWS::S3::Bucket": 63,
    "AWS::SQS::Queue": 80,
}
_DEFAULT_LONGEST_NAME = 128
# Properties that name a resource of a type moto has no model or no name for.
_NAME_PROPERTY = {
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SecretsManager::Secret": "Name",
}


@dataclass(slots=True)
class _Made:
    """A resource that exists, with what it was made from."""

    request: ResourceRequest
    resource: Any
    retained: bool


class StackResources(ResourceMap):
    """moto's map of a stack's resources with an engine of its own.

    Resources are compared by their resolved properties, so that one is updated too when what it refers to was
    replaced. Deletions come last, after everything else has worked, so that a failed update can be undone.

    Attributes:
        names: Physical names to give to logical ids instead of generated ones; a replayed deployment keeps its names.
        made_up_attributes: `LogicalId.Attribute` of attributes no model knew, which got a made-up value.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.names: dict[str, str] = {}
        self.made_up_attributes: set[str] = set()
        self._made: dict[str, _Made] = {}
        self._replacements = 0
        super().__init__(*args, **kwargs)

    @property
    def account(self) -> str:
        """The stack's account."""
        return self._account_id

    @property
    def region(self) -> str:
        """The stack's Region."""
        return self._region_name

    @property
    def known(self) -> Mapping[str, Any]:
        """What Ref may name: resources made, parameters, pseudo parameters and mappings."""
        return self._parsed_resources

    @property
    def template(self) -> Template:
        """The template in force."""
        return self._template

    @property
    def resources(self) -> Iterable[str]:
        """Logical ids of the resources that exist; moto lists those of false conditions too."""
        return self._made.keys()

    def __len__(self) -> int:
        return len(self._made)

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __getitem__(self, key: str) -> Any:
        """A resource, parameter, pseudo parameter or mapping; nothing is made by looking at it, unlike in moto."""
        return self._parsed_resources[key]

    def reference(self, name: str) -> Any:
        """What Ref gives: a resource's physical id, or the value of a parameter.

        Raises:
            ValidationError: The template has nothing of that name, or a condition keeps it from being made.
        """
        if name in self._made:
            return physical_id(self._made[name].request, self._made[name].resource)
        if name not in self._parsed_resources:
            raise ValidationError(message=f"Unresolved resource dependencies [{name}] in the template")
        return self._parsed_resources[name]

    def made(self) -> dict[str, tuple[ResourceRequest, Any]]:
        """The existing resources by logical id, each with what it was made from."""
        return {logical_id: (made.request, made.resource) for logical_id, made in self._made.items()}

    def resolve(self, node: Any) -> Any:
        """A part of the template, resolved against the existing resources."""
        return resolve(node, self)

    def validate_outputs(self) -> None:
        """Nothing: resolving an output tells what is wrong with it, and moto's check refuses unknown types."""

    def check_rules(self, template: Template, parameters: dict[str, Any]) -> None:
        """Evaluate the template's rules for these parameters.

        Raises:
            ValidationError: A rule fails; nothing has been touched.
        """
        trial = StackResources(
            self.stack_id,
            self["AWS::StackName"],
            parameters,
            {},
            account_id=self._account_id,
            region_name=self._region_name,
            template=template,
            cross_stack_resources=self.cross_stack_resources,
        )
        trial.load()
        failed = failed_rules(template.get("Rules", {}), trial.resolve)
        if failed:
            raise ValidationError(message="Template validation error: " + "; ".join(failed))

    def bring_to(self, template: Template, parameters: dict[str, Any], report: Report) -> list[_Made]:
        """Create and update until the template's resources are there.

        Returns:
            Resources that are no longer wanted, for `clean_up` once nothing can fail any more.

        Raises:
            Exception: A resource failed and was reported; what is done besides, `bring_to` the former template undoes.
        """
        self._use(template, parameters)
        obsolete: list[_Made] = []
        wanted = [logical_id for logical_id in _dependency_order(template) if self._is_wanted(logical_id)]
        try:
            for logical_id in wanted:
                replaced = self._bring(logical_id, report)
                if replaced is not None:
                    obsolete.append(replaced)
        except Exception:
            for made in reversed(obsolete):
                self._put_back(made, report)
            raise
        for logical_id in reversed(list(self._made)):
            if logical_id not in wanted:
                obsolete.append(self._made.pop(logical_id))
                del self._parsed_resources[logical_id]
        return obsolete

    def clean_up(self, obsolete: list[_Made], report: Report) -> None:
        """Delete what `bring_to` left over; a deletion that fails is reported and, as in AWS, fails nothing else."""
        for made in obsolete:
            with suppress(Exception):
                self._delete(made, report)

    def remove_all(self, report: Report) -> None:
        """Delete every resource but those to be retained, last made first.

        Raises:
            Exception: A resource could not be deleted; the rest still exists.
        """
        for logical_id in reversed(list(self._made)):
            self._delete(self._made[logical_id], report)
            del self._made[logical_id]
            del self._parsed_resources[logical_id]

    def _use(self, template: Template, parameters: dict[str, Any]) -> None:
        existing = {logical_id: made.resource for logical_id, made in self._made.items()}
        pseudo = {name: value for name, value in self._parsed_resources.items() if name.startswith("AWS::")}
        self._template = template
        self._resource_json_map = template["Resources"]
        self.input_parameters = parameters
        self.resolved_parameters = {}
        self._parsed_resources = {**pseudo, **existing}
        self.load_mapping()
        self.load_parameters()
        self.load_conditions()

    def load_conditions(self) -> None:
        """Load the conditions so that their references resolve; moto hands them a bare dict."""
        self.lazy_condition_map = LazyDict()
        for name, condition in self._template.get("Conditions", {}).items():
            self.lazy_condition_map[name] = lambda condition=condition: parse_condition(
                condition, self, self.lazy_condition_map
            )

    def parse_ssm_parameter(self, value: str, value_type: str) -> Any:
        """The value of a parameter of type `AWS::SSM::Parameter::…`.

        Raises:
            ValidationError: There is no such parameter, where moto fails with an error of its own.
        """
        parameter = ssm_backends[self._account_id][self._region_name].get_parameter(value)
        if parameter is None:
            raise ValidationError(message=f"Unable to fetch parameters [{value}] from parameter store")
        return parameter.value.split(",") if "List" in value_type else parameter.value

    def _is_wanted(self, logical_id: str) -> bool:
        condition = self._template["Resources"][logical_id].get("Condition")
        return condition is None or bool(self.lazy_condition_map[condition])

    def _bring(self, logical_id: str, report: Report) -> _Made | None:
        """Make or change one resource; returns the resource that another one took the place of."""
        body = self._template["Resources"][logical_id]
        made = self._made.get(logical_id)
        verb = "CREATE" if made is None else "UPDATE"
        request = ResourceRequest(
            logical_id=logical_id,
            type=body["Type"],
            name=logical_id,
            properties={},
            stack_id=self.stack_id,
            account=self._account_id,
            region=self._region_name,
        )
        try:
            properties = self.resolve(copy.deepcopy(body.get("Properties", {})))
            retained = body.get("DeletionPolicy") == "Retain"
            provider = provider_for(request.type)
            given = _given_name(request.type, properties)
            if made is not None and made.request.type == request.type:
                if made.request.properties == properties:
                    made.retained = retained
                    return None
                renamed = given is not None and given != made.request.name
                if not needs_replacement(request.type, renamed):
                    request = replace(request, name=made.request.name, properties=properties)
                    report(request, "UPDATE_IN_PROGRESS", None)
                    self._keep(request, provider.update(request, made.resource), retained=retained)
                    report(request, "UPDATE_COMPLETE", None)
                    return None
            if made is not None:
                self._replacements += 1
            name = given or self.names.get(logical_id) or self._generate_name(request.type, logical_id, properties)
            request = replace(request, name=name, properties=properties)
            report(request, f"{verb}_IN_PROGRESS", None)
            self._keep(request, provider.create(request), retained=retained)
        except Exception as error:
            report(request, f"{verb}_FAILED", str(getattr(error, "message", None) or error))
            raise
        report(request, f"{verb}_COMPLETE", None)
        if made is None or body.get("UpdateReplacePolicy") == "Retain":
            return None
        return made

    def _keep(self, request: ResourceRequest, resource: Any, *, retained: bool) -> None:
        self._made[request.logical_id] = _Made(request, resource, retained)
        self._parsed_resources[request.logical_id] = resource

    def _put_back(self, made: _Made, report: Report) -> None:
        logical_id = made.request.logical_id
        with suppress(Exception):  # reported; what is left over must not hide why the update failed
            self._delete(self._made[logical_id], report)
        self._made[logical_id] = made
        self._parsed_resources[logical_id] = made.resource

    def _generate_name(self, resource_type: str, logical_id: str, properties: dict[str, Any]) -> str:
        suffix = short_hash(self.stack_id, logical_id, str(self._replacements))
        if str(properties.get("FifoQueue", False)).lower() == "true":
            suffix += ".fifo"
        longest = _LONGEST_NAME.get(resource_type, _DEFAULT_LONGEST_NAME) - len(suffix) - 1
        name = f"{self['AWS::StackName']}-{logical_id}"[:longest].rstrip("-") + f"-{suffix}"
        return name.lower() if resource_type == "AWS::S3::Bucket" else name

    def _delete(self, made: _Made, report: Report) -> None:
        if made.retained:
            report(made.request, "DELETE_SKIPPED", None)
            return
        report(made.request, "DELETE_IN_PROGRESS", None)
        try:
            provider_for(made.request.type).delete(made.request, made.resource)
        except Exception as error:
            report(made.request, "DELETE_FAILED", str(getattr(error, "message", None) or error))
            raise
        report(made.request, "DELETE_COMPLETE", None)


def physical_id(request: ResourceRequest, resource: Any) -> str:
    """A resource's physical id; the name it was made under where moto's model has none."""
    try:
        return str(resource.physical_resource_id)
    except (AttributeError, NotImplementedError):
        return request.name


def _given_name(resource_type: str, properties: dict[str, Any]) -> str | None:
    name_property = _NAME_PROPERTY.get(resource_type) or resource_name_property_from_type(resource_type)
    given = properties.get(name_property) if name_property else None
    return None if given is None else str(given)


def _dependency_order(template: Template) -> list[str]:
    resources = template["Resources"]
    ordered: dict[str, None] = {}
    path: list[str] = []

    def visit(logical_id: str) -> None:
        if logical_id in ordered:
            return
        if logical_id in path:
            circle = ", ".join(path[path.index(logical_id) :])
            raise ValidationError(message=f"Circular dependency between resources: [{circle}]")
        path.append(logical_id)
        body = resources[logical_id]
        depends_on = body.get("DependsOn", [])
        names = [depends_on] if isinstance(depends_on, str) else list(depends_on)
        for name in [*names, *_references(body.get("Properties"))]:
            if name in resources:
                visit(name)
        path.pop()
        ordered[logical_id] = None

    for logical_id in resources:
        visit(logical_id)
    return list(ordered)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt":
                yield value.partition(".")[0] if isinstance(value, str) else value[0]
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                yield from re.findall(r"\$\{([^!.}]+)", text)
                yield from _references(value)
            else:
                yield from _references(value)
