"""A stack's resources: brought to a template in dependency order, and back if that fails."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import ValidationError

from workmail_local.aws.cloudformation.provider import ResourceRequest
from workmail_local.aws.cloudformation.providers import provider_for
from workmail_local.aws.cloudformation.resolver import MadeResource, Resolver
from workmail_local.aws.cloudformation.template_rules import failed_rules

if TYPE_CHECKING:
    from workmail_local.aws.cloudformation.provider import Properties, Provider

Template = dict[str, Any]
Report = Callable[[ResourceRequest, str, str | None], None]
"""Takes each step: the resource, its CloudFormation status and, if it failed, why."""


class StackResources(Resolver):
    """A stack's resources, with an engine of its own.

    Resources are compared by their resolved properties, so one is updated too when something that it refers to was
    replaced. Deletions come last, after everything else has worked, so a failed update can be undone.

    Attributes:
        names: Physical names to give to logical ids instead of generated ones; a replayed deployment keeps its names.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.names: dict[str, str] = {}
        self._replacements = 0
        super().__init__(*args, **kwargs)

    def check_rules(self, template: Template, parameters: dict[str, Any]) -> None:
        """Evaluate the template's rules for these parameters.

        Raises:
            ValidationError: A rule fails; nothing has been touched.
        """
        trial = Resolver(
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

    def bring_to(self, template: Template, parameters: dict[str, Any], report: Report) -> list[MadeResource]:
        """Create and update until the template's resources are there.

        Returns:
            Resources that are no longer wanted, for `clean_up` once nothing can fail any more.

        Raises:
            Exception: A resource failed and was reported; `bring_to` the former template undoes the rest.
        """
        self._use(template, parameters)
        obsolete: list[MadeResource] = []
        wanted = [
            logical_id
            for logical_id in _dependency_order(template)
            if self.holds(template["Resources"][logical_id].get("Condition"))
        ]
        try:
            for logical_id in wanted:
                replaced = self._bring(logical_id, report)
                if replaced is not None:
                    obsolete.append(replaced)
        except Exception:
            for made in reversed(obsolete):
                self._put_back(made, report)
            raise
        for logical_id in reversed(list(self.made)):
            if logical_id not in wanted:
                obsolete.append(self.made.pop(logical_id))
                del self._parsed_resources[logical_id]
        # What an update made last may be what an older resource now depends on: deletions go by this order.
        self.made = {logical_id: self.made[logical_id] for logical_id in wanted}
        return obsolete

    def clean_up(self, obsolete: list[MadeResource], report: Report) -> None:
        """Delete what `bring_to` left over; a deletion that fails is reported and, as in AWS, fails nothing else."""
        for made in obsolete:
            with suppress(Exception):
                self._delete(made, report)

    def remove_all(self, report: Report) -> None:
        """Delete every resource except those to be retained, each before what it depends on.

        Raises:
            Exception: A resource could not be deleted; the rest still exists.
        """
        for logical_id in reversed(list(self.made)):
            self._delete(self.made[logical_id], report)
            del self.made[logical_id]
            del self._parsed_resources[logical_id]

    def _use(self, template: Template, parameters: dict[str, Any]) -> None:
        existing = {logical_id: made.resource for logical_id, made in self.made.items()}
        pseudo = {name: value for name, value in self._parsed_resources.items() if name.startswith("AWS::")}
        self._template = template
        self._resource_json_map = template["Resources"]
        self.input_parameters = parameters
        self.resolved_parameters = {}
        self._parsed_resources = {**pseudo, **existing}
        self.load_mapping()
        self.load_parameters()
        self.load_conditions()

    def _bring(self, logical_id: str, report: Report) -> MadeResource | None:
        """Make or change one resource; return the one that it replaced, if any."""
        body = self._template["Resources"][logical_id]
        made = self.made.get(logical_id)
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
            given = provider.given_name(properties)
            if made is not None and made.request.type == request.type:
                if made.request.properties == properties:
                    made.retained = retained
                    return None
                if not provider.replaced_on_change and given in (None, made.request.name):
                    request = replace(request, name=made.request.name, properties=properties)
                    report(request, "UPDATE_IN_PROGRESS", None)
                    self._keep(request, provider.update(request, made.resource), retained=retained)
                    report(request, "UPDATE_COMPLETE", None)
                    return None
            if made is not None:
                self._replacements += 1
            name = given or self.names.get(logical_id) or self._generate_name(provider, logical_id, properties)
            request = replace(request, name=name, properties=properties)
            report(request, f"{verb}_IN_PROGRESS", None)
            self._keep(request, provider.create(request), retained=retained)
        except Exception as error:
            report(request, f"{verb}_FAILED", failure_reason(error))
            raise
        report(request, f"{verb}_COMPLETE", None)
        if made is None or body.get("UpdateReplacePolicy") == "Retain":
            return None
        return made

    def _keep(self, request: ResourceRequest, resource: Any, *, retained: bool) -> None:
        self.made[request.logical_id] = MadeResource(request, resource, retained)
        self._parsed_resources[request.logical_id] = resource

    def _put_back(self, made: MadeResource, report: Report) -> None:
        logical_id = made.request.logical_id
        with suppress(Exception):  # reported; what is left over must not hide why the update failed
            self._delete(self.made[logical_id], report)
        self.made[logical_id] = made
        self._parsed_resources[logical_id] = made.resource

    def _generate_name(self, provider: Provider, logical_id: str, properties: Properties) -> str:
        seed = "\0".join((self.stack_id, logical_id, str(self._replacements)))
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:12]
        return provider.generate_name(f"{self['AWS::StackName']}-{logical_id}", suffix, properties)

    def _delete(self, made: MadeResource, report: Report) -> None:
        if made.retained:
            report(made.request, "DELETE_SKIPPED", None)
            return
        report(made.request, "DELETE_IN_PROGRESS", None)
        try:
            provider_for(made.request.type).delete(made.request, made.resource)
        except Exception as error:
            report(made.request, "DELETE_FAILED", failure_reason(error))
            raise
        report(made.request, "DELETE_COMPLETE", None)


def failure_reason(error: Exception) -> str:
    """What an error says; moto's errors have a message of their own."""
    return str(getattr(error, "message", None) or error)


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
