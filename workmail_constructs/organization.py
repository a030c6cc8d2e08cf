"""The WorkMail organization that rules belong to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from aws_cdk import Arn, ArnFormat
from constructs import Construct

from workmail_constructs.organization_lookup import OrganizationLookup
from workmail_constructs.stack_record import StackRecord, is_known
from workmail_flow import arns
from workmail_flow.address import domain_key
from workmail_flow.limits import (
    MAX_DOMAINS_PER_ORGANIZATION,
    ORGANIZATION_ALIAS_PATTERN,
    ORGANIZATION_ID_PATTERN,
)
from workmail_flow.vocabulary import FlowDirection
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_flow.words import AnyDirection

_ARN: Final = re.compile(
    arns.organization_arn(
        rf"(?P<organization>{ORGANIZATION_ID_PATTERN})",
        region="(?P<region>[a-z0-9-]+)",
        account="(?P<account>[0-9]{12})",
    )
)


class WorkMailOrganization(Construct):
    """An existing organization; make it with `from_organization_id`, `from_organization_arn` or `from_alias`.

    Organizations are made in the console, so this adds nothing to a template but what finds one by its alias.
    """

    organization_id: str
    """`m-` and 32 lower-case hex digits (L3), or a token."""
    organization_arn: str
    """`arn:aws:workmail:REGION:ACCOUNT:organization/ORGANIZATION_ID` (L3), or a token."""
    region: str
    """The organization's Region, or a token."""
    account: str
    """The organization's account, or a token."""
    alias: str | None
    """The alias it is found by when the stack is deployed, or a token; None if its id or ARN was given."""
    domains: tuple[str, ...]
    """The mail domains that were given for it."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        *,
        organization_id: str,
        organization_arn: str,
        region: str,
        account: str,
        alias: str | None = None,
        domains: Sequence[str] = (),
    ) -> None:
        if is_known(organization_id) and not re.fullmatch(ORGANIZATION_ID_PATTERN, organization_id):
            raise ValueError(
                f"organization_id: found {organization_id!r}; an organization id is m- and 32 lower-case hex digits "
                "(L3): copy it from the organization's page in the WorkMail console"
            )
        _check_domains(domains)
        super().__init__(scope, id)
        self.organization_id = organization_id
        self.organization_arn = organization_arn
        self.region = region
        self.account = account
        self.alias = alias
        self.domains = tuple(domains)

    @classmethod
    def from_organization_id(
        cls,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        organization_id: str,
        *,
        domains: Sequence[str] = (),
    ) -> Self:
        """Take an organization of the stack's own Region and account, the only kind that its functions can serve (L2).

        Args:
            scope: The stack that uses it, or a construct in one.
            id: The construct's id.
            organization_id: Its id (L3), or a token, for example a CloudFormation parameter's value.
            domains: Its mail domains, at most 1,000 (F6); with them the lint finds more.

        Raises:
            ValueError: This is not an organization id, or there are too many domains.
        """
        return cls._here(scope, id, organization_id, domains=domains)

    @classmethod
    def from_alias(
        cls,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        alias: str,
        *,
        domains: Sequence[str] = (),
    ) -> Self:
        """Take the organization with this alias, in the stack's own Region and account (L2).

        Its id is looked up when the stack is deployed, and again only when the alias changes. If there is no such
        organization the deployment fails and says which there are. The stack gets one small function for all lookups,
        `OrganizationLookup`.

        Args:
            scope: The stack that uses it, or a construct in one.
            id: The construct's id.
            alias: Its alias (L8), or a token; upper and lower case count.
            domains: Its mail domains, at most 1,000 (F6); with them the lint finds more.

        Raises:
            ValueError: This is not an alias, or there are too many domains.
        """
        if is_known(alias) and not re.fullmatch(ORGANIZATION_ALIAS_PATTERN, alias):
            raise ValueError(
                f"alias: found {alias!r}; an alias is 1 to 62 letters, digits and single hyphens between them, and "
                "does not begin with d- (L8): copy it from the list of organizations in the WorkMail console"
            )
        _check_domains(domains)
        organization_id = OrganizationLookup.of(scope).organization_id(alias)
        return cls._here(scope, id, organization_id, alias=alias, domains=domains)

    @classmethod
    def _here(
        cls,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        organization_id: str,
        *,
        alias: str | None = None,
        domains: Sequence[str],
    ) -> Self:
        here = StackRecord.of(scope)
        return cls(
            scope,
            id,
            organization_id=organization_id,
            organization_arn=arns.organization_arn(organization_id, region=here.region, account=here.account),
            region=here.region,
            account=here.account,
            alias=alias,
            domains=domains,
        )

    @classmethod
    def from_organization_arn(
        cls,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's word
        organization_arn: str,
        *,
        domains: Sequence[str] = (),
    ) -> Self:
        """Take an organization by its ARN, so that synth finds rules in stacks of another Region or account.

        Args:
            scope: The stack that uses it, or a construct in one.
            id: The construct's id.
            organization_arn: Its ARN (L3), or a token.
            domains: Its mail domains, at most 1,000 (F6); with them the lint finds more.

        Raises:
            ValueError: This is not an organization's ARN, or there are too many domains.
        """
        if is_known(organization_arn):
            parsed = _ARN.fullmatch(organization_arn)
            if parsed is None:
                raise ValueError(
                    f"organization_arn: found {organization_arn!r}; an organization's ARN is "
                    "arn:aws:workmail:REGION:ACCOUNT:organization/m-… with 32 lower-case hex digits (L3)"
                )
            organization_id, region, account = parsed["organization"], parsed["region"], parsed["account"]
        else:
            parts = Arn.split(organization_arn, ArnFormat.SLASH_RESOURCE_NAME)
            organization_id, region, account = parts.resource_name or "", parts.region or "", parts.account or ""
        return cls(
            scope,
            id,
            organization_id=organization_id,
            organization_arn=organization_arn,
            region=region,
            account=account,
            domains=domains,
        )

    @property
    def key(self) -> tuple[str, ...]:
        """What is equal for two that are known to be one organization: the id, or an alias in a Region and account."""
        return (self.organization_id,) if self.alias is None else (self.alias, self.region, self.account)

    @property
    def domain_keys(self) -> list[str]:
        """The domains in the spelling that addresses are compared in; a token stays as it is."""
        return [domain_key(each) if is_known(each) else each for each in self.domains]

    def message_arn(self, direction: AnyDirection) -> str:
        """Return the ARN of all messages of a direction, the narrowest that is known before a message comes (C3)."""
        word = one_of(FlowDirection, direction, argument="direction")
        return arns.message_arn(self.organization_id, region=self.region, account=self.account, direction=word)

    @property
    def any_message_arn(self) -> str:
        """The ARN of all messages, which is how WorkMail names itself when it reads a bucket (C5)."""
        return arns.message_arn(self.organization_id, region=self.region, account=self.account)


def _check_domains(domains: Sequence[str]) -> None:
    if isinstance(domains, str):
        raise TypeError(f"domains: found the string {domains!r}; give a list of domain names: [{domains!r}]")
    if len(domains) > MAX_DOMAINS_PER_ORGANIZATION:
        raise ValueError(
            f"domains: found {len(domains)}; an organization has {MAX_DOMAINS_PER_ORGANIZATION} at most (F6)"
        )
