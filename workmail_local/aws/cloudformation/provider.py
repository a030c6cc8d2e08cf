"""How a resource type is made, changed, deleted and named."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """One resource to make, its properties resolved.

    Attributes:
        name: Physical name, given in the properties or generated; an update keeps the name of what it updates.
    """

    logical_id: str
    type: str
    name: str
    properties: Properties
    stack_id: str
    account: str
    region: str


class Provider(ABC):
    """Everything that the engine needs to know of a resource type.

    A resource has `physical_resource_id`, which Ref gives, and `get_cfn_attribute(name)`, which GetAtt gives.

    Attributes:
        real: Whether the resource does here what it does in AWS. One that is not real is kept as data only.
        name_property: The property that names the resource; None if no property does.
        longest_name: Characters of the longest name to generate. 128 is more than we generate; services that take
            fewer say so.
        replaced_on_change: Whether every change makes another resource instead of changing this one.
    """

    real: bool = True
    name_property: str | None = None
    longest_name: int = 128
    replaced_on_change: bool = False

    @abstractmethod
    def create(self, request: ResourceRequest) -> Any:
        """Make the resource."""

    def update(self, request: ResourceRequest, existing: Any) -> Any:
        """Bring the resource to these properties under its name: delete it and make it again."""
        self.delete(request, existing)
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: Any) -> None:  # noqa: B027 - optional, not forgotten
        """Delete the resource; nothing happens unless a type overrides this."""

    def given_name(self, properties: Properties) -> str | None:
        """The name that the properties give, if they do."""
        given = properties.get(self.name_property) if self.name_property else None
        return None if given is None else str(given)

    def generate_name(self, stem: str, suffix: str, properties: Properties) -> str:
        """A name for a resource whose properties give none: the stem, cut to what the service takes, and the suffix."""
        return f"{stem[: self.longest_name - len(suffix) - 1].rstrip('-')}-{suffix}"


class MotoProvider(Provider):
    """A type that moto models.

    Args:
        model: moto's `CloudFormationModel` of the type.
    """

    def __init__(self, model: type[Any]) -> None:
        self._model = model
        self.name_property = model.cloudformation_name_type()

    def create(self, request: ResourceRequest) -> Any:
        """Make the resource with moto's model."""
        return self._model.create_from_cloudformation_json(
            request.name,
            _as_json(request),
            request.account,
            request.region,
            LogicalId=request.logical_id,
            StackId=request.stack_id,
            ResourceType=request.type,
        )

    def update(self, request: ResourceRequest, existing: Any) -> Any:
        """Have moto's model update the resource under its name; one that it cannot update stays as it was made."""
        if _is_abstract(self._model.update_from_cloudformation_json):
            return existing
        return self._model.update_from_cloudformation_json(
            existing, request.name, _as_json(request), request.account, request.region
        )

    def delete(self, request: ResourceRequest, existing: Any) -> None:
        """Delete with the resource's own method, or with the model's by physical id."""
        if callable(getattr(existing, "delete", None)):
            existing.delete(request.account, request.region)
        elif not _is_abstract(self._model.delete_from_cloudformation_json):
            self._model.delete_from_cloudformation_json(
                existing.physical_resource_id, _as_json(request), request.account, request.region
            )


@dataclass(slots=True)
class SimpleResource:
    """A resource whose every attribute is its physical id."""

    physical_resource_id: str

    def get_cfn_attribute(self, name: str) -> str:
        """The physical id."""
        return self.physical_resource_id


@dataclass(slots=True)
class RememberedResource:
    """A resource kept as data: Ref gives an id and GetAtt a value of the usual shape."""

    physical_resource_id: str
    type: str
    properties: Properties
    account: str
    region: str

    @classmethod
    def of(cls, request: ResourceRequest, *, physical_id: str | None = None) -> RememberedResource:
        """Remember what was requested, under its name if there is no other physical id."""
        properties = copy.deepcopy(request.properties)
        return cls(physical_id or request.name, request.type, properties, request.account, request.region)

    def get_cfn_attribute(self, name: str) -> Any:
        """A property of that name, an ARN for an attribute that ends in `Arn`, or the id and the name."""
        if name in self.properties:
            return self.properties[name]
        if name.endswith("Arn"):
            service = self.type.split("::")[1].lower()
            return f"arn:aws:{service}:{self.region}:{self.account}:{self.physical_resource_id}"
        return f"{self.physical_resource_id}.{name}"


class RememberingProvider(Provider):
    """Keeps resources as data.

    Args:
        real: Whether the data is all that counts; the local WorkMail evaluates bucket policies itself, for instance.
    """

    def __init__(self, *, real: bool) -> None:
        self.real = real

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Remember the resource."""
        return RememberedResource.of(request)


def _is_abstract(method: Any) -> bool:
    return getattr(method, "__isabstractmethod__", False) is True


def _as_json(request: ResourceRequest) -> dict[str, Any]:
    # moto's models write into what they are given.
    return {"Type": request.type, "Properties": copy.deepcopy(request.properties)}
