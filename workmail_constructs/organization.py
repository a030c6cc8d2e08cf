"""The WorkMail organization that rules belong to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from aws_cdk import Arn, ArnFormat
from constructs import Construct

from workmail_constructs.stack_record import StackRecord, is_known
from workmail_constructs.words import one_of
from workmail_flow import arns
from workmail_flow.limits import MAX_DOMAINS_PER_ORGANIZATION, ORGANIZATION_ID_PATTERN
from workmail_flow.vocabulary import FlowDirection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_constructs.words import AnyDirection

_ARN: Final = re.compile(
    arns.organization_arn(
        rf"(?P<organization>{ORGANIZATION_ID_PATTERN})",
        region="(?P<region>[a-z0-9-]+)",
        account="(?P<account>[0-9]{12})",
    )
)


class WorkMailOrganization(Construct):
    """An existing organization; make it with `from_organization_id` or `from_organization_arn`.

    Organizations are made in the console, so this adds nothing to a template.
    """

    organization_id: str
    """`m-` and 32 lower-case hex digits (L3), or a token."""
    organization_arn: str
    """`arn:aws:workmail:REGION:ACCOUNT:organization/ORGANIZATION_ID` (L3), or a token."""
    region: str
    """The organization's Region, or a token."""
    account: str
    """The organization's account, or a token."""
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
        domains: Sequence[str] = (),
    ) -> None:
        if is_known(organization_id) and not re.fullmatch(ORGANIZATION_ID_PATTERN, organization_id):
            raise ValueError(
                f"organization_id: found {organization_id!r}; an organization id is m- and 32 lower-case hex digits "
                "(L3): copy it from the organization's page in the WorkMail console"
            )
        if isinstance(domains, str):
            raise TypeError(f"domains: found the string {domains!r}; give a list of domain names: [{domains!r}]")
        if len(domains) > MAX_DOMAINS_PER_ORGANIZATION:
            raise ValueError(
                f"domains: found {len(domains)}; an organization has {MAX_DOMAINS_PER_ORGANIZATION} at most (F6)"
            )
        super().__init__(scope, id)
        self.organization_id = organization_id
        self.organization_arn = organization_arn
        self.region = region
        self.account = account
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
        here = StackRecord.of(scope)
        return cls(
            scope,
            id,
            organization_id=organization_id,
            organization_arn=arns.organization_arn(organization_id, region=here.region, account=here.account),
            region=here.region,
            account=here.account,
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

    def message_arn(self, direction: AnyDirection) -> str:
        """Return the ARN of all messages of a direction, the narrowest that is known before a message comes (C3)."""
        word = one_of(FlowDirection, direction, argument="direction")
        return arns.message_arn(self.organization_id, region=self.region, account=self.account, direction=word)

    @property
    def any_message_arn(self) -> str:
        """The ARN of all messages, which is how WorkMail names itself when it reads a bucket (C5)."""
        return arns.message_arn(self.organization_id, region=self.region, account=self.account)
