"""What is deployed, as the engine asks for it: organizations by address, functions and policies by ARN."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workmail_flow.address import domain_key
from workmail_flow.rule_set import RuleSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workmail_local.deployment import DeployedFunction, Deployment

NO_ORGANIZATION_ID = "m-00000000000000000000000000000000"
"""Stands for the organization while no deployed stack declares one: mail is delivered, no rule matches."""

Statements = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization with the rules of every deployed stack that names it.

    Args:
        domains: As compared (`domain_key`). Without any, every domain that no other organization declares is its own.
    """

    organization_id: str
    region: str
    account: str
    domains: frozenset[str]
    rules: RuleSet

    @property
    def arn(self) -> str:
        """The source ARN WorkMail calls functions with (L3, L4)."""
        return f"arn:aws:workmail:{self.region}:{self.account}:organization/{self.organization_id}"


@dataclass(frozen=True, slots=True)
class Deployed:
    """Every deployed stack, seen as one.

    Raises:
        workmail_flow.rule_problems.RuleError: Rules of two stacks for one organization do not go together.
    """

    organizations: Mapping[str, Organization]
    functions: Mapping[str, DeployedFunction] = field(default_factory=dict)
    function_policies: Mapping[str, Statements] = field(default_factory=dict)
    role_policies: Mapping[str, Statements] = field(default_factory=dict)
    bucket_policies: Mapping[str, Statements] = field(default_factory=dict)
    stacks: tuple[str, ...] = ()

    @classmethod
    def of(cls, deployments: Iterable[Deployment], *, region: str, account: str) -> Deployed:
        """See `deployments` as one; with none, a nameless organization without rules takes all mail."""
        deployments = tuple(deployments)
        organizations: dict[str, Organization] = {}
        for deployment in deployments:
            for declared in deployment.organizations:
                known = organizations.get(declared.organization_id)
                organizations[declared.organization_id] = Organization(
                    declared.organization_id,
                    deployment.region,
                    deployment.account,
                    frozenset(map(domain_key, declared.domains)) | (known.domains if known else frozenset()),
                    RuleSet((*known.rules, *declared.rules)) if known else declared.rules,
                )
        if not organizations:
            nameless = Organization(NO_ORGANIZATION_ID, region, account, frozenset(), RuleSet())
            organizations[nameless.organization_id] = nameless
        return cls(
            organizations=organizations,
            functions=ChainMap(*(dict(deployment.functions) for deployment in deployments)),
            function_policies=ChainMap(*(dict(deployment.function_policies) for deployment in deployments)),
            role_policies=ChainMap(*(dict(deployment.role_policies) for deployment in deployments)),
            bucket_policies=ChainMap(*(dict(deployment.bucket_policies) for deployment in deployments)),
            stacks=tuple(deployment.stack for deployment in deployments),
        )

    def organization_of(self, address: str) -> Organization | None:
        """Return whose address this is: of the organization that declares its domain, or of one that declares none."""
        domain = domain_key(address.rpartition("@")[2])
        open_to_all = None
        for organization in self.organizations.values():
            if domain in organization.domains:
                return organization
            if not organization.domains:
                open_to_all = organization
        return open_to_all

    def declares(self, address: str) -> bool:
        """Say whether an organization declares the address's domain as its own."""
        domain = domain_key(address.rpartition("@")[2])
        return any(domain in organization.domains for organization in self.organizations.values())
