"""The deployed stacks, as the local WorkMail reads them from the state folder."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workmail_flow.arns import UNPUBLISHED
from workmail_flow.template import declared_rule_sets
from workmail_local.state_file import read_state_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workmail_flow.rule_set import RuleSet

TEMPLATE_NAME = "template.json"
"""The file of a stack's folder that holds the deployed template."""

MAX_EVENT_AGE_S = 6 * 3600.0
"""How long Lambda keeps an asynchronous event at most, and by default (AWS Lambda Developer Guide)."""

SEND_FAILED_EVENT = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
"""What Lambda does in the role's name to send an event to an on-failure destination, by the destination's service."""

Statement = dict[str, Any]
"""One statement of a policy document, with its intrinsic functions resolved."""

DEPLOYMENTS_FOLDER = "deployments"
"""The folder of the state folder that holds one folder per deployed stack."""

SNAPSHOT_NAME = "deployment.json"
"""The file of a stack's folder that holds everything but code and template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFunction:
    """A deployed function; an alias or a published version counts as a function with its own ARN.

    Attributes:
        code: The deployed zip; an empty path for a container image.
        layers: The zips of the layers deployed here, in the order Lambda unpacks them.
        environment: Variables, with every reference resolved to the deployed resource.
        memory_mb: MiB.
        timeout_s: Seconds.
        on_failure_arn: Queue or topic for failed asynchronous invocations.
        max_retries: Retries of a failed asynchronous invocation, 0 to 2.
        package_type: `Zip` or `Image`.
        missing_layers: ARNs of layers that no stack here deploys.
        version: The version that runs; for an alias the one that it points at.
        max_event_age_s: Seconds that Lambda keeps an asynchronous event.
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
    version: str = UNPUBLISHED
    max_event_age_s: float = MAX_EVENT_AGE_S


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
        functions: By ARN, including aliases and versions.
        function_policies: Statements of resource policies by the ARN of the function, alias or version; those of all
            deployed stacks, because one stack may permit the use of another's function.
        role_policies: Statements of inline and managed policies by role ARN, of all deployed stacks.
        bucket_policies: Statements by bucket name, of all deployed stacks.
        outputs: The stack's outputs.
        data_only: Logical ids and types of resources that are recorded but do nothing here.
        resources: Logical ids of all resources.
        template: The deployed template.
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
    """Return every deployed stack, ordered by account, Region and stack name.

    Raises:
        workmail_flow.rule_problems.RuleError: WorkMail would not take a declared rule.
        workmail_flow.template.TemplateError: Another release declared the rules.
        StateFileError: A stack's file is damaged, or another release wrote it.
    """
    files = sorted((state / DEPLOYMENTS_FOLDER).glob(f"*/{SNAPSHOT_NAME}"))
    remedy = "delete its folder and deploy the stack again"
    read = [read_state_file(path, partial(_deployment, path.parent), remedy=remedy) for path in files]
    policies: dict[str, Any] = {
        kind: _merged(getattr(deployment, kind) for deployment, _ in read)
        for kind in ("function_policies", "role_policies", "bucket_policies")
    }
    return tuple(
        replace(deployment, organizations=_organizations(metadata), **policies) for deployment, metadata in read
    )


def _deployment(folder: Path, snapshot: dict[str, Any]) -> tuple[Deployment, dict[str, Any]]:
    """Return the stack without its organizations, and the metadata that declares them."""
    deployment = Deployment(
        stack=snapshot["stack"],
        region=snapshot["region"],
        account=snapshot["account"],
        organizations=(),
        functions={raw["arn"]: deployed_function(folder, raw) for raw in snapshot["functions"]},
        function_policies=snapshot["function_policies"],
        role_policies=snapshot["role_policies"],
        bucket_policies=snapshot["bucket_policies"],
        outputs=snapshot["outputs"],
        data_only=tuple(snapshot["data_only"]),
        resources=tuple(snapshot["resources"]),
        template=json.loads((folder / TEMPLATE_NAME).read_text()),
        last_event=snapshot["last_event"],
    )
    return deployment, snapshot["metadata"]


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


def deployed_function(folder: Path, raw: dict[str, Any]) -> DeployedFunction:
    """Return a function as a snapshot has it, with its code in the stack's folder."""
    code = folder / raw["code"] if raw["code"] else Path()
    layers = tuple(folder / layer for layer in raw["layers"])
    return DeployedFunction(**{**raw, "code": code, "layers": layers, "missing_layers": tuple(raw["missing_layers"])})
