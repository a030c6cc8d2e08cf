"""CloudFormation of one account and Region: moto's, with our stacks and change sets."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from moto.cloudformation import urls
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack, cloudformation_backends
from moto.cloudformation.utils import generate_changeset_id, generate_stack_id
from moto.core.exceptions import ServiceException

from workmail_local.aws.cloudformation.change_set import LocalChangeSet
from workmail_local.aws.cloudformation.local_stack import LocalStack, refuse_if_used

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
class StackIdentity:
    """A stack's ARN, and its resources' physical names by logical id."""

    stack_id: str
    names: dict[str, str]


class LocalCloudFormation(CloudFormationBackend):
    """CloudFormation of one account and Region.

    Attributes:
        identities: By stack name, what a stack that is created again keeps.
    """

    stacks: dict[str, LocalStack]  # type: ignore[assignment]  # moto makes none of its own

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.identities: dict[str, StackIdentity] = {}

    @property
    def _url_module(self) -> Any:
        # moto looks for a module `urls` beside the backend's own module.
        return urls

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
        """Create a stack; it exists afterwards even if that failed, with a status that says so.

        Raises:
            AlreadyExistsException: There is a stack of that name.
            ValidationError: The template or its rules refuse; no stack exists.
        """
        if self._find(name) is not None:
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        stack = self._new_stack(name, parameters, **options)
        stack.parent_id = parent_id
        self._submit(stack, template, parameters)
        self.stacks[stack.stack_id] = stack
        stack.create(template, parameters)
        stack.listener.stack_changed(stack)
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
        stack.listener.stack_changed(stack)
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
        """Prepare a change; a change set that changes nothing has failed, as in AWS.

        Raises:
            ValidationError: There is no such stack to update, it can only be deleted, or the template's rules refuse.
        """
        if change_set_type == "UPDATE":
            _refuse_if_unfinished(self._get(stack_name))
        stack = self._find(stack_name)
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

    def change_set_arn(self, name: str, stack: str) -> str:
        """The ARN of a stack's newest change set of that name; the name itself if there is none."""
        for change_set in reversed(self.change_sets.values()):
            if name == change_set.change_set_name and stack in (change_set.stack_name, change_set.stack_id):
                return str(change_set.change_set_id)
        return name

    def delete_change_set(self, change_set_name: str) -> None:
        """Forget the change set of this ARN; one that does not exist is no error, but crashes moto."""
        self.change_sets.pop(change_set_name, None)

    def describe_change_set(self, change_set_name: str) -> ChangeSet:
        """The change set of this ARN.

        Raises:
            ChangeSetNotFound: There is none.
        """
        change_set = self.change_sets.get(change_set_name)
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
            stack.create(change_set.template, change_set.parameters)
        else:
            stack.update(
                change_set.template, change_set.role_arn, parameters=change_set.parameters, tags=change_set.tags
            )
        stack.listener.stack_changed(stack)

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
        refuse_if_used(self, stack, exported, "deleted")
        stack.delete()
        if stack.status == "DELETE_COMPLETE":
            for name in exported:
                del self.exports[name]
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)
        stack.listener.stack_changed(stack)

    def restore(self, name: str, template: str, parameters: dict[str, str], tags: dict[str, str]) -> str | None:
        """Create a stack again as it was saved; return why that failed, in which case no stack exists."""
        try:
            stack = self.create_stack(name, template, parameters, tags=tags)
        except ServiceException as error:
            return str(error.message)
        if stack.status == "CREATE_COMPLETE":
            return None
        del self.stacks[stack.stack_id]
        return stack.stack_status_reason

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
        return next((stack for stack in self.stacks.values() if name_or_id in (stack.name, stack.stack_id)), None)

    def _get(self, name_or_id: str) -> LocalStack:
        stack = self._find(name_or_id)
        if stack is None:
            raise ValidationError(name_or_id)
        return stack


class ChangeSetNotFound(ValidationError):  # noqa: N818 - the code AWS gives
    """There is no such change set."""

    code = "ChangeSetNotFound"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


def local_cloudformation(account: str, region: str) -> LocalCloudFormation:
    """CloudFormation of an account and Region."""
    return cast("LocalCloudFormation", cloudformation_backends[account][region])


def all_stacks() -> Iterator[LocalStack]:
    """Every stack of every account and Region that was not deleted."""
    for _account, _region, backend in cloudformation_backends.iter_backends():
        yield from cast("LocalCloudFormation", backend).stacks.values()


def _refuse_if_unfinished(stack: LocalStack) -> None:
    if stack.status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}:
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


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
