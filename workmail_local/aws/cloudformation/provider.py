"""How a resource type is made, changed and deleted."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from moto.cloudformation.parsing import get_model_map

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """One resource to make, its properties resolved.

    Attributes:
        name: Physical name, from the properties or generated; an update keeps the name of what it updates.
    """

    logical_id: str
    type: str
    name: str
    properties: Properties
    stack_id: str
    account: str
    region: str


class Provider(Protocol):
    """Makes resources of one type. A resource has `physical_resource_id` and `get_cfn_attribute(name)`."""

    real: bool
    """Whether the resource does here what it does in AWS; one that is not real is only remembered."""

    def create(self, request: ResourceRequest) -> Any:
        """Make the resource."""

    def update(self, request: ResourceRequest, existing: Any) -> Any:
        """Bring the resource to these properties, keeping its physical name."""

    def delete(self, request: ResourceRequest, existing: Any) -> None:
        """Delete the resource."""


class MotoProvider:
    """A type that moto models."""

    real = True

    # moto makes these anew on update and so would lose what they hold; they stay as they were made.
    _KEPT_ON_UPDATE = frozenset({"AWS::Kinesis::Stream", "AWS::SNS::Topic"})

    def __init__(self, model: type[Any]) -> None:
        self._model = model

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
        if request.type in self._KEPT_ON_UPDATE or _is_abstract(self._model.update_from_cloudformation_json):
            return existing
        return self._model.update_from_cloudformation_json(
            existing, request.name, _as_json(request), request.account, request.region
        )

    def delete(self, request: ResourceRequest, existing: Any) -> None:
        """Delete with the model's own method, or by physical id."""
        if callable(getattr(existing, "delete", None)):
            existing.delete(request.account, request.region)
        elif not _is_abstract(self._model.delete_from_cloudformation_json):
            self._model.delete_from_cloudformation_json(
                existing.physical_resource_id, _as_json(request), request.account, request.region
            )


class RemakingProvider(MotoProvider):
    """A type that moto models and cannot update, and that holds nothing: an update makes it anew under its name."""

    def update(self, request: ResourceRequest, existing: Any) -> Any:
        """Delete the resource and make it again."""
        self.delete(request, existing)
        return self.create(request)


@dataclass(slots=True)
class RememberedResource:
    """A resource kept as data: it answers Ref with an id and GetAtt with a value of the usual shape."""

    physical_resource_id: str
    type: str
    properties: Properties
    account: str
    region: str

    def get_cfn_attribute(self, name: str) -> Any:
        """A property of that name, an ARN for an attribute that ends in `Arn`, or the id and the name."""
        if name in self.properties:
            return self.properties[name]
        if name.endswith("Arn"):
            service = self.type.split("::")[1].lower()
            return f"arn:aws:{service}:{self.region}:{self.account}:{self.physical_resource_id}"
        return f"{self.physical_resource_id}.{name}"


class RememberingProvider:
    """Keeps resources as data.

    With `real`, the data is what counts: the local WorkMail evaluates bucket policies itself, for instance.
    """

    def __init__(self, *, real: bool = False) -> None:
        self.real = real

    def create(self, request: ResourceRequest) -> Any:
        """Remember the resource."""
        return RememberedResource(
            request.name, request.type, copy.deepcopy(request.properties), request.account, request.region
        )

    def update(self, request: ResourceRequest, existing: Any) -> Any:
        """Remember the new properties."""
        existing.properties = copy.deepcopy(request.properties)
        return existing

    def delete(self, request: ResourceRequest, existing: Any) -> None:
        """Nothing is left to do."""


def moto_model(resource_type: str) -> type[Any] | None:
    """The model that moto has of a resource type, if it has one."""
    return get_model_map().get(resource_type)


def short_hash(*parts: str) -> str:
    """Twelve letters and digits that stay the same for the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _is_abstract(method: Any) -> bool:
    return getattr(method, "__isabstractmethod__", False) is True


def _as_json(request: ResourceRequest) -> dict[str, Any]:
    # moto's models write into what they are given.
    return {"Type": request.type, "Properties": copy.deepcopy(request.properties)}
