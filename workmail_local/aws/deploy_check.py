"""Compares a synthesized stack with what exists: that a command succeeded proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workmail_local.aws.cdk import SynthesizedStack
    from workmail_local.deployment import Deployment


def deployment_of(stack: SynthesizedStack, deployments: tuple[Deployment, ...]) -> Deployment | None:
    """The deployment of a synthesized stack: the one of its name, in its Region if it names one."""
    named = [deployed for deployed in deployments if deployed.stack == stack.name]
    return next((deployed for deployed in named if stack.region in (None, deployed.region)), None)


def missing_from(stack: SynthesizedStack, deployed: Deployment | None) -> tuple[str, ...]:
    """How the deployed stack differs from the synthesized one, each difference as a sentence."""
    if deployed is None:
        return (f"{stack.name} does not exist",)
    resources = stack.template.get("Resources", {})
    missing = tuple(
        f"{stack.name} lacks {logical_id} ({body['Type']})"
        for logical_id, body in resources.items()
        if logical_id not in deployed.resources and "Condition" not in body
    )
    if not missing and deployed.template != stack.template:
        return (f"{stack.name} exists with a different template than the one just synthesized",)
    return missing


def template_changes(stack: SynthesizedStack, deployed: Deployment | None) -> dict[str, list[str]]:
    """Logical ids that deploying would add, remove and change."""
    new = stack.template.get("Resources", {})
    old = {} if deployed is None else deployed.template.get("Resources", {})
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
    }
