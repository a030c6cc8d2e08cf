"""Finds organizations by their aliases when a stack is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from aws_cdk import CustomResource, Stack, Token
from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.custom_resource_function import GIVE_UP, CustomResourceFunction
from workmail_constructs.problems import add_problem
from workmail_constructs.resolved_hash import resolved_hash
from workmail_flow.arns import LIST_ORGANIZATIONS
from workmail_flow.limits import WORKMAIL_REGIONS
from workmail_flow.lookup_resource import LOOKUP_ALIAS, LOOKUP_TYPE

if TYPE_CHECKING:
    from constructs import Construct

_TIMEOUT_SECONDS: Final = 60
"""Enough for pages of thousands of organizations, with retries."""


class OrganizationLookup(CustomResourceFunction):
    """The function of a stack that finds organizations, and a custom resource for each alias it is asked for.

    Its role may list the organizations of the stack's Region. The same alias is looked up once per stack.
    """

    def __init__(self, stack: Stack) -> None:
        region = stack.region
        super().__init__(
            stack,
            "WorkMailOrganizationLookup",
            handler="organization_lookup",
            description="Finds WorkMail organizations by their aliases during deployments",
            timeout_seconds=_TIMEOUT_SECONDS,
            statements=[
                # No resource can be named for this action (L8), and no narrower action finds an organization by its
                # alias. The condition keeps the function from looking elsewhere.
                PolicyStatement(
                    actions=[LIST_ORGANIZATIONS],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:RequestedRegion": region}},
                )
            ],
        )
        self._ids: dict[str, str] = {}
        if not Token.is_unresolved(region) and region not in WORKMAIL_REGIONS:
            add_problem(
                self,
                "WorkMailRegion",
                found=f"an organization to look up in {region}",
                allowed=f"{', '.join(WORKMAIL_REGIONS)}: WorkMail exists nowhere else (L1)",
                remedy="give the stack env=Environment(region=…) with the Region of the organization",
            )

    @classmethod
    def of(cls, scope: Construct) -> OrganizationLookup:
        """Return the lookup of the stack that `scope` is, or is in."""
        stack = Stack.of(scope)
        lookup = _OF_STACK.get(stack)
        if lookup is None:
            lookup = _OF_STACK[stack] = cls(stack)
        return lookup

    def organization_id(self, alias: str) -> str:
        """Return a token for the id of the organization with this alias, which may be a token too."""
        organization_id = self._ids.get(alias)
        if organization_id is None:
            resource = CustomResource(
                self,
                f"Organization-{alias if not Token.is_unresolved(alias) else resolved_hash(self, alias)}",
                service_token=self.function.function_arn,
                service_timeout=GIVE_UP,
                resource_type=LOOKUP_TYPE,
                properties={LOOKUP_ALIAS: alias},
            )
            organization_id = self._ids[alias] = resource.ref
        return organization_id


_OF_STACK: Final[WeakKeyDictionary[Stack, OrganizationLookup]] = WeakKeyDictionary()
