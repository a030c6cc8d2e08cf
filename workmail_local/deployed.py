"""What is deployed, as the email flow needs it: organizations by address, functions and policies by ARN."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workmail_flow.address import domain_key
from workmail_flow.arns import organization_arn
from workmail_flow.rule_set import RuleSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workmail_local.deployment import DeployedFunction, Deployment

NO_ORGANIZATION_ID = "m-00000000000000000000000000000000"
"""The organization while no deployed stack declares one: its mail is delivered, and no rule matches."""

Statements = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization with the rules of every deployed stack that names it.

    Args:
        domains: As `domain_key` spells them. Without any, it has every domain that no other organization declares.
    """

    organization_id: str
    region: str
    account: str
    domains: frozenset[str]
    rules: RuleSet

    @property
    def arn(self) -> str:
        """The source ARN WorkMail calls functions with (L3, L4)."""
        return organization_arn(self.organization_id, region=self.region, account=self.account)


@dataclass(frozen=True, slots=True)
class Deployed:
    """Everything deployed: all stacks and handler folders as one."""

    organizations: Mapping[str, Organization]
    functions: Mapping[str, DeployedFunction] = field(default_factory=dict)
    function_policies: Mapping[str, Statements] = field(default_factory=dict)
    role_policies: Mapping[str, Statements] = field(default_factory=dict)
    bucket_policies: Mapping[str, Statements] = field(default_factory=dict)
    stacks: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    @classmethod
    def of(cls, deployments: Iterable[Deployment], *, region: str, account: str) -> Deployed:
        """Combine `deployments`; with none, a nameless organization without rules accepts all mail.

        Raises:
            workmail_flow.rule_problems.RuleError: Rules of two deployments for one organization conflict.
        """
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
            accounts=tuple(sorted({deployment.account for deployment in deployments})),
        )

    def organization_of(self, address: str) -> Organization | None:
        """Return the organization that declares the address's domain, else the one that declares no domain, or None."""
        domain = domain_key(address.rpartition("@")[2])
        open_to_all = None
        for organization in self.organizations.values():
            if domain in organization.domains:
                return organization
            if not organization.domains:
                open_to_all = organization
        return open_to_all

    def declares(self, address: str) -> bool:
        """Return whether an organization declares the address's domain."""
        domain = domain_key(address.rpartition("@")[2])
        return any(domain in organization.domains for organization in self.organizations.values())
