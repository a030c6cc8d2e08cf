"""Stacks and change sets: moto's, with the engine of `StackResources` and with failures told as AWS tells them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeVar, cast

from moto.cloudformation import models, urls
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event, Stack
from moto.cloudformation.parsing import Export
from moto.cloudformation.utils import generate_changeset_id, generate_stack_id
from moto.core.exceptions import ServiceException

from workmail_local.aws.cloudformation import intrinsics
from workmail_local.aws.cloudformation.stack_resources import StackResources, physical_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workmail_local.aws.cloudformation.provider import ResourceRequest

# The server runs requests in threads, and the CDK CLI may deploy stacks concurrently; nested stacks lock again.
_OPERATION = threading.RLock()
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

_NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def _one_at_a_time(operation: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    @wraps(operation)
    def locked(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        with _OPERATION:
            return operation(*args, **kwargs)

    return locked


@dataclass(frozen=True, slots=True)
class _ResourceView:
    """A resource as moto's responses describe it."""

    logical_resource_id: str
    physical_resource_id: str
    cf_resource_type: str


class LocalStack(Stack):
    """A stack that rolls back.

    Attributes:
        parent_id: ARN of the stack that this one is nested in.
        stack_status_reason: Why the last operation failed.
    """

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
            # moto hands a stack a dictionary of its own as long as nothing is exported yet.
            cross_stack_resources=models.cloudformation_backends[self.account_id][self.region_name].exports,
        )
        resources.load()
        return resources

    @property
    def stack_parameters(self) -> dict[str, Any]:
        """Parameters as given or by default; moto resolves SSM parameters, which are then no previous values."""
        declared = self.template_dict.get("Parameters", {})
        return {name: self.parameters.get(name, slot.get("Default")) for name, slot in declared.items()}

    @property
    def stack_resources(self) -> Any:
        """What exists, as moto's responses describe it."""
        return [
            _ResourceView(logical_id, physical_id(request, resource), request.type)
            for logical_id, (request, resource) in self.resource_map.made().items()
        ]

    @property
    def outputs(self) -> list[dict[str, Any]] | None:
        """Outputs of the last operation that worked, each with its own export; moto tells exports by their values."""
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

    def create_resources(self) -> None:
        """Create everything, or nothing: a failure deletes what was made."""
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
        resolve, conditions = self.resource_map.resolve, self.resource_map.lazy_condition_map
        return [
            {
                "OutputKey": key,
                "OutputValue": str(resolve(output["Value"])),
                "Description": output.get("Description"),
                "ExportName": resolve(output["Export"]["Name"]) if "Export" in output else None,
            }
            for key, output in (self.template_dict.get("Outputs") or {}).items()
            if "Condition" not in output or conditions[output["Condition"]]
        ]

    def _use(self, template: Any, parameters: dict[str, Any]) -> None:
        self.template = template
        self.parameters = parameters
        self._parse_template()

    def _bring_to_template(self) -> None:
        obsolete = self.resource_map.bring_to(self.template_dict, self.parameters, self._report)
        self._outputs = self._resolved_outputs()
        if LocalCloudFormation.listener is not None:
            LocalCloudFormation.listener.check(self)
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
        self.stack_status_reason = str(getattr(error, "message", None) or error)
        self._add_stack_event(status, resource_status_reason=self.stack_status_reason)

    def _finish(self, work: Callable[[], None], good: str, bad: str) -> None:
        try:
            work()
        except Exception as error:  # the status is how CloudFormation tells it
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


@dataclass(frozen=True, slots=True)
class StackIdentity:
    """A stack's ARN, and its resources' physical names by logical id."""

    stack_id: str
    names: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResourceChange:
    """A resource's change as DescribeChangeSet tells it; `cdk diff` leaves out properties that it does not name."""

    action: str
    logical_resource_id: str
    physical_resource_id: str | None
    resource_type: str
    replacement: str | None
    details: tuple[dict[str, Any], ...]


class LocalChangeSet(ChangeSet):
    """A change set that names the properties that change."""

    stack: LocalStack

    def diff(self) -> Any:
        """What differs between the stack's template and this one."""
        old = self.stack.template_dict.get("Resources", {})
        new = self.template_dict["Resources"]
        made = self.stack.resource_map.made()
        changes = []
        for name in (*new, *(name for name in old if name not in new)):
            if name in old and name in new and old[name] == new[name]:
                continue
            action = "Add" if name not in old else "Remove" if name not in new else "Modify"
            changes.append(
                _ResourceChange(
                    action=action,
                    logical_resource_id=name,
                    physical_resource_id=physical_id(*made[name]) if name in made else None,
                    resource_type=(new.get(name) or old[name])["Type"],
                    replacement="False" if action == "Modify" else None,
                    details=tuple(_property_changes(old[name], new[name])) if action == "Modify" else (),
                )
            )
        return changes


def _property_changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[dict[str, Any]]:
    before, after = old.get("Properties", {}), new.get("Properties", {})
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Never"}
            yield {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


class StackListener(Protocol):
    """Whoever keeps what is deployed."""

    def check(self, stack: LocalStack) -> None:
        """Raise if the stack cannot be read back as it is now; it is rolled back then."""

    def stack_changed(self, stack: LocalStack) -> None:
        """An operation on the stack has ended; its status tells how."""


class LocalCloudFormation(CloudFormationBackend):
    """CloudFormation of one account and Region.

    Attributes:
        listener: Told of every stack that an operation has ended for.
        identities: By stack name, what a stack that is created again is to keep.
    """

    listener: ClassVar[StackListener | None] = None

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.identities: dict[str, StackIdentity] = {}

    @property
    def _url_module(self) -> Any:
        # moto finds the urls of a backend by the name of the backend's module.
        return urls

    def local_stacks(self) -> tuple[LocalStack, ...]:
        """The stacks that were not deleted."""
        return tuple(stack for stack in self.stacks.values() if isinstance(stack, LocalStack))

    @_one_at_a_time
    def create_stack(  # type: ignore[override]
        self,
        name: str,
        template: str,
        parameters: dict[str, Any],
        *,
        parent_id: str | None = None,
        **options: Any,
    ) -> LocalStack:
        """Create a stack; it exists afterwards even when that failed, with the status that tells so.

        Raises:
            AlreadyExistsException: There is a stack of that name.
            ValidationError: The template or its rules refuse; no stack exists.
        """
        if self._find(name) is not None:
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        stack = self._new_stack(name, parameters, **options)
        stack.parent_id = parent_id
        self._submit(stack, template, parameters)
        stack._use(template, parameters)  # noqa: SLF001
        self.stacks[stack.stack_id] = stack
        stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")  # noqa: SLF001
        stack.create_resources()
        self._tell(stack)
        return stack

    @_one_at_a_time
    def update_stack(
        self,
        name: str,
        template: str,
        role_arn: str | None,
        parameters: list[dict[str, Any]],
        tags: dict[str, str] | None,
    ) -> Stack:
        """Update a stack.

        Raises:
            ValidationError: There is no such stack, it can only be deleted, nothing changes, or the template's rules
                refuse.
        """
        stack = self._get(name)
        _refuse_if_unfinished(stack)
        given = _given_parameters(stack, parameters)
        if _is_unchanged(stack, template, given, tags):
            raise ValidationError(message="No updates are to be performed.")
        self._submit(stack, template, given)
        stack.update(template, role_arn, parameters=given, tags=tags)
        self._tell(stack)
        return stack

    @_one_at_a_time
    def create_change_set(
        self,
        stack_name: str,
        change_set_name: str,
        template: str,
        parameters: dict[str, str],
        description: str,
        change_set_type: str,
        notification_arns: list[str] | None = None,
        tags: dict[str, str] | None = None,
        role_arn: str | None = None,
    ) -> tuple[str, str]:
        """Prepare a change; one that changes nothing has failed, as in AWS.

        Raises:
            ValidationError: There is no such stack to update, it can only be deleted, or the template's rules refuse.
        """
        stack = self._find(stack_name)
        if change_set_type == "UPDATE" and stack is None:
            raise ValidationError(stack_name)
        if change_set_type == "UPDATE" and stack is not None:
            _refuse_if_unfinished(stack)
        if change_set_type == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise AlreadyExistsException(f"Stack [{stack_name}] already exists and cannot be created again")
        if stack is None:
            stack = self._new_stack(stack_name, {}, notification_arns=notification_arns, tags=tags, role_arn=role_arn)
            stack.status = "REVIEW_IN_PROGRESS"
        self._submit(stack, template, parameters)
        self.stacks[stack.stack_id] = stack
        change_set: LocalChangeSet = cast("Any", LocalChangeSet)(
            change_set_type=change_set_type,
            change_set_id=generate_changeset_id(change_set_name, self.region_name, self.account_id),
            change_set_name=change_set_name,
            stack=stack,
            template=template,
            parameters=parameters,
            description=description,
            notification_arns=notification_arns,
            tags=tags,
            role_arn=role_arn,
        )
        if change_set_type == "UPDATE" and _is_unchanged(stack, template, parameters, tags):
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = _NO_CHANGES
        else:
            change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        self.change_sets[change_set.change_set_id] = change_set
        return change_set.change_set_id, stack.stack_id

    def delete_change_set(self, change_set_name: str) -> None:
        """Forget a change set; one that does not exist is no error, while moto fails."""
        change_set = self._find_change_set(change_set_name)
        if change_set is not None:
            del self.change_sets[change_set.change_set_id]

    def describe_change_set(self, change_set_name: str) -> ChangeSet:
        """The newest change set of that name or ARN.

        Raises:
            ChangeSetNotFound: There is none.
        """
        change_set = self._find_change_set(change_set_name)
        if change_set is None:
            raise ChangeSetNotFound(f"ChangeSet [{change_set_name}] does not exist")
        return change_set

    @_one_at_a_time
    def execute_change_set(self, change_set_name: str, stack_name: str | None = None) -> None:
        """Create or update the stack as the change set says, outputs and exports included."""
        change_set = self.describe_change_set(change_set_name)
        stack = self._get(change_set.stack_id)
        change_set.execution_status = "EXECUTE_COMPLETE"
        if change_set.change_set_type == "CREATE":
            stack._use(change_set.template, change_set.parameters)  # noqa: SLF001
            stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")  # noqa: SLF001
            stack.create_resources()
        else:
            stack.update(
                change_set.template, change_set.role_arn, parameters=change_set.parameters, tags=change_set.tags
            )
        self._tell(stack)

    @_one_at_a_time
    def delete_stack(self, name_or_stack_id: str) -> None:
        """Delete a stack; one that does not exist is no error.

        Raises:
            ValidationError: Another stack imports what this one exports.
        """
        stack = self._find(name_or_stack_id)
        if stack is None:
            return
        exported = {name for name, export in self.exports.items() if export.exporting_stack_id == stack.stack_id}
        _refuse_if_used(self, stack, exported, "deleted")
        stack.delete()
        if stack.status == "DELETE_COMPLETE":
            for name in exported:
                del self.exports[name]
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)
        self._tell(stack)

    def restore(self, name: str, template: str, parameters: dict[str, str], tags: dict[str, str]) -> str | None:
        """Create a stack again as it was saved; returns why that failed, and no stack exists then."""
        try:
            stack = self.create_stack(name, template, parameters, tags=tags)
        except ServiceException as error:
            return str(error.message)
        if stack.status == "CREATE_COMPLETE":
            return None
        del self.stacks[stack.stack_id]
        return stack.stack_status_reason

    def _tell(self, stack: LocalStack) -> None:
        if self.listener is not None:
            self.listener.stack_changed(stack)

    def _new_stack(self, name: str, parameters: dict[str, Any], **options: Any) -> LocalStack:
        identity = self.identities.get(name)
        new_id = generate_stack_id(name, self.region_name, self.account_id)
        # To a type checker, moto's models are abstract and their constructors return something else.
        stack: LocalStack = cast("Any", LocalStack)(
            stack_id=new_id if identity is None else identity.stack_id,
            name=name,
            template={},
            parameters=parameters,
            account_id=self.account_id,
            region_name=self.region_name,
            **options,
        )
        if identity is not None:
            stack.resource_map.names = identity.names
        return stack

    def _submit(self, stack: LocalStack, template: str, parameters: dict[str, Any]) -> None:
        stack.resource_map.check_rules(stack.parse_template(template), parameters)

    def _find(self, name_or_id: str) -> LocalStack | None:
        return next((stack for stack in self.local_stacks() if name_or_id in (stack.name, stack.stack_id)), None)

    def _get(self, name_or_id: str) -> LocalStack:
        stack = self._find(name_or_id)
        if stack is None:
            raise ValidationError(name_or_id)
        return stack

    def _find_change_set(self, name_or_id: str) -> ChangeSet | None:
        for change_set in reversed(self.change_sets.values()):
            if name_or_id in (change_set.change_set_name, change_set.change_set_id):
                return change_set
        return None


class ChangeSetNotFound(ValidationError):  # noqa: N818 - the code AWS gives
    """There is no such change set."""

    code = "ChangeSetNotFound"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


def install(listener: StackListener) -> None:
    """Have moto make these stacks, and tell the listener; before its server takes its first request."""
    intrinsics.install()
    LocalCloudFormation.listener = listener
    models.cloudformation_backends.backend = LocalCloudFormation


def all_stacks() -> Iterator[LocalStack]:
    """Every stack of every account and Region that was not deleted."""
    for _account, _region, backend in models.cloudformation_backends.iter_backends():
        if isinstance(backend, LocalCloudFormation):
            yield from backend.local_stacks()


def _publish_exports(stack: LocalStack) -> None:
    backend = models.cloudformation_backends[stack.account_id][stack.region_name]
    mine = {export.name: export for export in stack.exports}
    others = {name: export for name, export in backend.exports.items() if export.exporting_stack_id != stack.stack_id}
    for name in sorted(mine.keys() & others.keys()):
        owner = others[name].exporting_stack_id.split("/")[1]
        raise ValidationError(message=f"Export with name {name} is already exported by stack {owner}")
    before = {name: export for name, export in backend.exports.items() if name not in others}
    changed = {name for name, export in before.items() if name not in mine or mine[name].value != export.value}
    _refuse_if_used(backend, stack, changed, "updated or deleted")
    for name in before:
        del backend.exports[name]
    backend.exports.update(mine)


def _refuse_if_unfinished(stack: LocalStack) -> None:
    if stack.status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}:
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def _refuse_if_used(backend: CloudFormationBackend, stack: LocalStack, exports: set[str], verb: str) -> None:
    for other in backend.stacks.values():
        if other is not stack and isinstance(other, LocalStack):
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


def _given_parameters(stack: LocalStack, parameters: list[dict[str, Any]]) -> dict[str, str]:
    previous = stack.stack_parameters
    return {
        given["ParameterKey"]: previous[given["ParameterKey"]]
        if given.get("UsePreviousValue")
        else given["ParameterValue"]
        for given in parameters
    }


def _is_unchanged(stack: LocalStack, template: str, parameters: dict[str, Any], tags: dict[str, str] | None) -> bool:
    parsed = stack.parse_template(template)
    effective = {name: parameters.get(name, slot.get("Default")) for name, slot in parsed.get("Parameters", {}).items()}
    same_tags = tags is None or tags == stack.tags
    return parsed == stack.template_dict and effective == stack.stack_parameters and same_tags
