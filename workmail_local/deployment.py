"""What is deployed, as the local WorkMail reads it back from the state folder."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workmail_flow.template import declared_rule_sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workmail_flow.rule_set import RuleSet

TEMPLATE_NAME = "template.json"
"""The file of a stack's folder that holds the deployed template."""

Statement = dict[str, Any]
"""One statement of a policy document, its intrinsics resolved."""

DEPLOYMENTS_FOLDER = "deployments"
"""The folder of the state folder that holds a folder a deployed stack."""

SNAPSHOT_NAME = "deployment.json"
"""The file of a stack's folder that holds everything but code and template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFunction:
    """A function as deployed; an alias or a published version is a function under its own ARN.

    Attributes:
        code: The deployed zip on disk; an empty path for a container image.
        layers: The zips of the layers deployed here, in the order Lambda unpacks them.
        missing_layers: ARNs of layers that no stack here deploys.
        environment: Variables, with every reference resolved to the deployed resource.
        timeout_s: Seconds.
        on_failure_arn: Queue or topic that failed asynchronous invocations end in.
        max_retries: Retries of a failed asynchronous invocation, 0 to 2.
        package_type: `Zip` or `Image`.
    """

    arn: str
    name: str
    runtime: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    environment: Mapping[str, str]
    memory_mb: int
    timeout_s: float
    architecture: str
    role_arn: str
    on_failure_arn: str | None
    max_retries: int
    package_type: str
    missing_layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedOrganization:
    """An organization that a deployed stack declares rules for."""

    organization_id: str
    domains: tuple[str, ...]
    rules: RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployed stack.

    Attributes:
        functions: By ARN, aliases and versions included.
        function_policies: Statements of the functions' resource policies, by the function's (alias', version's) ARN;
            those of every deployed stack, because one stack may permit the use of another's function.
        role_policies: Statements of inline and managed policies by role ARN, of every deployed stack.
        bucket_policies: Statements by bucket name, of every deployed stack.
        outputs: The stack's outputs.
        data_only: Logical ids, with their types, of resources that are remembered but do nothing here.
        resources: Logical ids of everything that exists.
        template: The template that was deployed.
        last_event: Changes with every operation on the stack.
    """

    stack: str
    region: str
    account: str
    organizations: tuple[DeployedOrganization, ...]
    functions: Mapping[str, DeployedFunction]
    function_policies: Mapping[str, tuple[Statement, ...]]
    role_policies: Mapping[str, tuple[Statement, ...]]
    bucket_policies: Mapping[str, tuple[Statement, ...]]
    outputs: Mapping[str, str]
    data_only: tuple[str, ...]
    resources: tuple[str, ...] = ()
    template: Mapping[str, Any] = field(default_factory=dict)
    last_event: str = ""


def load_deployments(state: Path) -> tuple[Deployment, ...]:
    """Everything deployed, ordered by account, Region and stack name.

    Raises:
        workmail_flow.rule_problems.RuleError: A declared rule is not one WorkMail would take.
        workmail_flow.template.TemplateError: The rules were declared by another release.
    """
    folders = sorted((state / DEPLOYMENTS_FOLDER).glob(f"*/{SNAPSHOT_NAME}"))
    snapshots = [(path.parent, json.loads(path.read_text())) for path in folders]
    policies = {
        kind: _merged(snapshot[kind] for _, snapshot in snapshots)
        for kind in ("function_policies", "role_policies", "bucket_policies")
    }
    return tuple(
        Deployment(
            stack=snapshot["stack"],
            region=snapshot["region"],
            account=snapshot["account"],
            organizations=_organizations(snapshot["metadata"]),
            functions={raw["arn"]: _function(folder, raw) for raw in snapshot["functions"]},
            outputs=snapshot["outputs"],
            data_only=tuple(snapshot["data_only"]),
            resources=tuple(snapshot["resources"]),
            template=json.loads((folder / TEMPLATE_NAME).read_text()),
            last_event=snapshot["last_event"],
            **policies,
        )
        for folder, snapshot in snapshots
    )


def _merged(policies: Iterable[Mapping[str, Iterable[Statement]]]) -> dict[str, tuple[Statement, ...]]:
    merged: defaultdict[str, tuple[Statement, ...]] = defaultdict(tuple)
    for by_arn in policies:
        for arn, statements in by_arn.items():
            merged[arn] += tuple(statements)
    return dict(merged)


def _organizations(metadata: dict[str, Any]) -> tuple[DeployedOrganization, ...]:
    return tuple(
        DeployedOrganization(organization_id=declared.organization_id, domains=declared.domains, rules=declared.rules)
        for declared in declared_rule_sets({"Metadata": metadata})
    )


def _function(folder: Path, raw: dict[str, Any]) -> DeployedFunction:
    code = folder / raw["code"] if raw["code"] else Path()
    layers = tuple(folder / layer for layer in raw["layers"])
    return DeployedFunction(**{**raw, "code": code, "layers": layers, "missing_layers": tuple(raw["missing_layers"])})
