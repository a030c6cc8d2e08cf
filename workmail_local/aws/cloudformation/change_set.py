"""Change sets that name the properties that change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.cloudformation.models import ChangeSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.aws.cloudformation.local_stack import LocalStack


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResourceChange:
    """A resource's change as DescribeChangeSet reports it; `cdk diff` shows only the properties that it names."""

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
        """How this template differs from the stack's."""
        old = self.stack.template_dict.get("Resources", {})
        new = self.template_dict["Resources"]
        made = self.stack.resource_map.made
        changes = []
        for name in (*new, *(name for name in old if name not in new)):
            if name in old and name in new and old[name] == new[name]:
                continue
            action = "Add" if name not in old else "Remove" if name not in new else "Modify"
            changes.append(
                _ResourceChange(
                    action=action,
                    logical_resource_id=name,
                    physical_resource_id=made[name].physical_id if name in made else None,
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
