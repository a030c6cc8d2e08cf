"""A stack that rolls back, and says why it failed as CloudFormation does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event, Stack, cloudformation_backends
from moto.cloudformation.parsing import Export

from workmail_local.aws.cloudformation.stack_resources import StackResources, failure_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workmail_local.aws.cloudformation.provider import ResourceRequest


class StackListener(Protocol):
    """Keeps what is deployed."""

    def check(self, stack: LocalStack) -> None:
        """Raise if the stack cannot be read back as it is now; then it is rolled back."""

    def stack_changed(self, stack: LocalStack) -> None:
        """An operation on the stack has ended; its status says how."""


@dataclass(frozen=True, slots=True)
class _ResourceView:
    """A resource as moto's responses describe it."""

    logical_resource_id: str
    physical_resource_id: str
    cf_resource_type: str


class LocalStack(Stack):
    """moto's stack, with the engine of `StackResources`.

    Attributes:
        listener: Set once, before any stack is made.
        parent_id: ARN of the stack that this one is nested in.
        stack_status_reason: Why the last operation failed.
    """

    listener: ClassVar[StackListener]
    resource_map: StackResources

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.parent_id: str | None = None
        self.stack_status_reason: str | None = None
        self._outputs: list[dict[str, Any]] = []
        super().__init__(*args, **kwargs)

    def _create_resource_map(self) -> StackResources:
        resources = StackResources(
            self.stack_id,
            self.name,
            self.parameters,
            self.tags,
            account_id=self.account_id,
            region_name=self.region_name,
            template={},
            # As long as nothing is exported, moto gives a stack a dictionary of its own.
            cross_stack_resources=cloudformation_backends[self.account_id][self.region_name].exports,
        )
        resources.load()
        return resources

    @property
    def stack_name(self) -> str:
        """The name; moto's responses find it under `name` for a class named `Stack` only."""
        return self.name

    @property
    def stack_status(self) -> str:
        """The status, for the same reason."""
        return self.status

    @property
    def stack_parameters(self) -> dict[str, Any]:
        """Parameters as given or by default; moto gives resolved SSM parameters, which are no previous values."""
        declared = self.template_dict.get("Parameters", {})
        return {name: self.parameters.get(name, slot.get("Default")) for name, slot in declared.items()}

    @property
    def stack_resources(self) -> Any:
        """What exists, as moto's responses describe it."""
        return [
            _ResourceView(logical_id, made.physical_id, made.request.type)
            for logical_id, made in self.resource_map.made.items()
        ]

    @property
    def outputs(self) -> list[dict[str, Any]] | None:
        """Outputs of the last operation that worked, each with its own export; moto finds an export by its value."""
        return self._outputs or None

    @property
    def exports(self) -> list[Export]:
        """Exports of outputs whose condition holds."""
        return [
            Export(self.stack_id, output["ExportName"], output["OutputValue"])
            for output in self._outputs
            if output["ExportName"] is not None
        ]

    def imported(self) -> set[str]:
        """Names of the exports that this stack uses."""
        return {self.resource_map.resolve(name) for name in _import_names(self.template_dict)}

    def create(self, template: str, parameters: dict[str, Any]) -> None:
        """Create everything, or nothing: a failure deletes what was made."""
        self._use(template, parameters)
        self._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
        try:
            self._bring_to_template()
        except Exception as error:  # whatever failed, the stack says so and is rolled back
            self._fail("ROLLBACK_IN_PROGRESS", error)
            self._finish(self._remove_all, "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
            return
        self._succeed("CREATE_COMPLETE")

    def update(
        self,
        template: str,
        role_arn: str | None = None,
        parameters: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Update to the template, or stay as before."""
        before = (self.template, self.parameters)
        self._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
        self._use(template, parameters or {})
        try:
            self._bring_to_template()
        except Exception as error:  # whatever failed, the stack says so and is rolled back
            self._fail("UPDATE_ROLLBACK_IN_PROGRESS", error)
            self._use(*before)
            self._finish(self._bring_to_template, "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED")
            return
        self.role_arn = role_arn
        if tags is not None:
            self.tags = tags
        self._succeed("UPDATE_COMPLETE")

    def delete(self) -> None:
        """Delete every resource; a failure leaves the stack and the rest of them."""
        self._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
        self._finish(self._remove_all, "DELETE_COMPLETE", "DELETE_FAILED")

    def _resolved_outputs(self) -> list[dict[str, Any]]:
        resolve = self.resource_map.resolve
        return [
            {
                "OutputKey": key,
                "OutputValue": str(resolve(output["Value"])),
                "Description": output.get("Description"),
                "ExportName": resolve(output["Export"]["Name"]) if "Export" in output else None,
            }
            for key, output in (self.template_dict.get("Outputs") or {}).items()
            if self.resource_map.holds(output.get("Condition"))
        ]

    def _use(self, template: Any, parameters: dict[str, Any]) -> None:
        self.template = template
        self.parameters = parameters
        self._parse_template()

    def _bring_to_template(self) -> None:
        obsolete = self.resource_map.bring_to(self.template_dict, self.parameters, self._report)
        self._outputs = self._resolved_outputs()
        self.listener.check(self)
        _publish_exports(self)
        self.resource_map.clean_up(obsolete, self._report)

    def _remove_all(self) -> None:
        self._outputs = []
        self.resource_map.remove_all(self._report)

    def _succeed(self, status: str) -> None:
        self.status = status
        self.stack_status_reason = None
        self.description = self.template_dict.get("Description")
        self._add_stack_event(status)

    def _fail(self, status: str, error: Exception) -> None:
        self.status = status
        self.stack_status_reason = failure_reason(error)
        self._add_stack_event(status, resource_status_reason=self.stack_status_reason)

    def _finish(self, work: Callable[[], None], good: str, bad: str) -> None:
        try:
            work()
        except Exception as error:  # the stack's status says so
            self._fail(bad, error)
            return
        self.status = good
        self._add_stack_event(good)

    def _report(self, request: ResourceRequest, status: str, reason: str | None) -> None:
        self.events.append(
            cast("Any", Event)(
                stack_id=self.stack_id,
                stack_name=self.name,
                logical_resource_id=request.logical_id,
                physical_resource_id=request.name,
                resource_type=request.type,
                resource_status=status,
                resource_status_reason=reason,
                resource_properties=json.dumps(request.properties, default=str),
            )
        )


def _publish_exports(stack: LocalStack) -> None:
    backend = cloudformation_backends[stack.account_id][stack.region_name]
    mine = {export.name: export for export in stack.exports}
    others = {name: export for name, export in backend.exports.items() if export.exporting_stack_id != stack.stack_id}
    for name in sorted(mine.keys() & others.keys()):
        owner = others[name].exporting_stack_id.split("/")[1]
        raise ValidationError(message=f"Export with name {name} is already exported by stack {owner}")
    before = {name: export for name, export in backend.exports.items() if name not in others}
    changed = {name for name, export in before.items() if name not in mine or mine[name].value != export.value}
    refuse_if_used(backend, stack, changed, "updated or deleted")
    for name in before:
        del backend.exports[name]
    backend.exports.update(mine)


def refuse_if_used(backend: CloudFormationBackend, stack: LocalStack, exports: set[str], verb: str) -> None:
    """Raise ValidationError if another stack imports one of the exports."""
    for other in cast("Iterable[LocalStack]", backend.stacks.values()):
        if other is not stack:
            for name in sorted(exports & other.imported()):
                raise ValidationError(message=f"Export {name} cannot be {verb} as it is in use by {other.name}")


def _import_names(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _import_names(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Fn::ImportValue":
                yield value
            else:
                yield from _import_names(value)
