"""`AWS::CloudFormation::Stack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.utils import get_stack_from_s3_url

from workmail_local.aws.cloudformation.provider import Provider

if TYPE_CHECKING:
    from workmail_local.aws.cloudformation.provider import ResourceRequest


# A stack is made of resources, and this resource is a stack. What it needs of one is spelled out, so that the modules
# do not need each other too.
class _Stack(Protocol):
    stack_id: str
    name: str
    status: str
    stack_status_reason: str | None

    @property
    def outputs(self) -> list[dict[str, Any]] | None: ...

    def update(self, template: str, *, parameters: dict[str, Any]) -> None: ...


class _CloudFormation(Protocol):
    def create_stack(self, name: str, template: str, parameters: dict[str, Any], *, parent_id: str) -> _Stack: ...

    def delete_stack(self, name_or_stack_id: str) -> None: ...


class NestedStack:
    """A stack that is another stack's resource: Ref gives its ARN, GetAtt its outputs."""

    def __init__(self, stack: _Stack) -> None:
        self.stack = stack

    @property
    def physical_resource_id(self) -> str:
        """The nested stack's ARN."""
        return self.stack.stack_id

    def get_cfn_attribute(self, name: str) -> Any:
        """The output that `Outputs.NAME` asks for."""
        for output in self.stack.outputs or ():
            if name == f"Outputs.{output['OutputKey']}":
                return output["OutputValue"]
        raise ValidationError(message=f"Nested stack {self.stack.name} has no attribute {name}")


class NestedStackProvider(Provider):
    """Makes, updates and deletes nested stacks; their failure is the outer stack's."""

    def create(self, request: ResourceRequest) -> NestedStack:
        """Create the nested stack from the template in the asset bucket; one that fails leaves nothing."""
        stack = _cloudformation(request).create_stack(
            request.name, _template(request), _parameters(request), parent_id=request.stack_id
        )
        try:
            _raise_if_failed(stack, "CREATE_COMPLETE")
        except ValidationError:
            _cloudformation(request).delete_stack(stack.stack_id)
            raise
        return NestedStack(stack)

    def update(self, request: ResourceRequest, existing: NestedStack) -> NestedStack:
        """Update the nested stack."""
        existing.stack.update(_template(request), parameters=_parameters(request))
        _raise_if_failed(existing.stack, "UPDATE_COMPLETE")
        return existing

    def delete(self, request: ResourceRequest, existing: NestedStack) -> None:
        """Delete the nested stack."""
        _cloudformation(request).delete_stack(existing.stack.stack_id)
        _raise_if_failed(existing.stack, "DELETE_COMPLETE")


def _cloudformation(request: ResourceRequest) -> _CloudFormation:
    return cast("_CloudFormation", cloudformation_backends[request.account][request.region])


def _template(request: ResourceRequest) -> str:
    return get_stack_from_s3_url(request.properties["TemplateURL"], account_id=request.account, partition="aws")


def _parameters(request: ResourceRequest) -> dict[str, str]:
    parameters = request.properties.get("Parameters", {})
    return {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in parameters.items()}


def _raise_if_failed(stack: _Stack, good: str) -> None:
    if stack.status != good:
        raise ValidationError(message=f"Nested stack {stack.name}: {stack.stack_status_reason}")
