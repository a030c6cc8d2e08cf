"""Where an organization is: its Region, its account and its id, as far as its rules tell (L2, L3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workmail_flow.arns import is_function_arn, organization_arn
from workmail_flow.limits import ORGANIZATION_ID_PATTERN

if TYPE_CHECKING:
    from workmail_flow.template import DeclaredRules

_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
# In what a template says, a part may be `${AWS::Region}`.
_ARN: Final = re.compile(r"arn:[^:]*:workmail:(\$\{[^}]*\}|[^:]*):(\$\{[^}]*\}|[^:]*):organization/.*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationPlace:
    """Where to find an organization; None for what only a deployment knows.

    Args:
        region: Its Region.
        account: The AWS account that it belongs to.
        organization_id: Its id (L3).
        alias: Its alias (L8).
        stacks: The stacks that declare its rules, which are in its Region and account.
    """

    region: str | None
    account: str | None
    organization_id: str | None
    alias: str | None
    stacks: tuple[str, ...]

    @classmethod
    def of(cls, declared: DeclaredRules) -> OrganizationPlace:
        """Read it from the organization's ARN, or from that of a rule's function, which is in the same place (L2)."""
        parts = _ARN.fullmatch(declared.organization_arn)
        places = [(parts[1], parts[2])] if parts else []
        functions = [rule.function for rule in declared.rules if rule.function and is_function_arn(rule.function)]
        places += [(region, account) for _, _, _, region, account, *_ in (arn.split(":") for arn in functions)]
        known = declared.organization_id
        is_id = re.fullmatch(ORGANIZATION_ID_PATTERN, known) is not None
        return cls(
            region=next((region for region, _ in places if _REGION.fullmatch(region)), None),
            account=next((account for _, account in places if _ACCOUNT.fullmatch(account)), None),
            organization_id=known if is_id else None,
            alias=declared.organization_alias,
            stacks=declared.stacks,
        )

    @property
    def arn(self) -> str:
        """The organization's ARN, with a word in capitals for what is not known."""
        return organization_arn(
            self.organization_id or "ORGANIZATION_ID", region=self.region or "REGION", account=self.account or "ACCOUNT"
        )
