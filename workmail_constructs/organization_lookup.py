"""Finds organizations by their aliases when a stack is deployed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakKeyDictionary

from aws_cdk import CustomResource, Duration, RemovalPolicy, Stack, Token
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_lambda import Architecture, Code, Function, Runtime, RuntimeFamily
from aws_cdk.aws_logs import LogGroup
from constructs import Construct

from workmail_constructs import defaults
from workmail_constructs.assets import source_of
from workmail_constructs.problems import add_problem
from workmail_flow.arns import LIST_ORGANIZATIONS
from workmail_flow.limits import WORKMAIL_REGIONS
from workmail_flow.lookup_resource import LOOKUP_ALIAS, LOOKUP_TYPE

if TYPE_CHECKING:
    from aws_cdk.aws_iam import IPrincipal, IRole

_HANDLER: Final = "workmail_custom_resources.organization_lookup"
_TIMEOUT_SECONDS: Final = 60
"""Enough for pages of thousands of organizations, with retries. The handler answers 25 seconds before it is over."""
_GIVE_UP_MINUTES: Final = 10
"""A function that cannot start does not answer, and Lambda tries it three times. CloudFormation would wait an hour."""


class OrganizationLookup(Construct):
    """The function of a stack that finds organizations, and a custom resource for each alias it is asked for.

    The same alias is looked up once per stack. It hangs on the stack, so renaming an organization's construct changes
    nothing in the template.
    """

    function: Function
    """Python, from code in the template itself."""
    role: Role
    """May list the organizations of the stack's Region and write to the log group; no managed policy."""
    log_group: LogGroup
    """Kept for a month, and deleted with the stack: it has ids only."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, "WorkMailOrganizationLookup")
        self._ids: dict[str, str] = {}
        region = stack.region
        if not Token.is_unresolved(region) and region not in WORKMAIL_REGIONS:
            add_problem(
                self,
                "WorkMailRegion",
                found=f"an organization to look up in {region}",
                allowed=f"{', '.join(WORKMAIL_REGIONS)}: WorkMail exists nowhere else (L1)",
                remedy="give the stack env=Environment(region=…) with the Region of the organization",
            )
        self.log_group = LogGroup(
            self, "LogGroup", retention=defaults.LOG_RETENTION, removal_policy=RemovalPolicy.DESTROY
        )
        # Not the role that CDK makes: it may write to every log group of the account.
        self.role = Role(self, "Role", assumed_by=cast("IPrincipal", ServicePrincipal("lambda.amazonaws.com")))
        self.log_group.grant_write(self.role)
        self.function = Function(
            self,
            "Function",
            description="Finds WorkMail organizations by their aliases during deployments",
            runtime=Runtime(f"python{defaults.PYTHON_VERSION}", RuntimeFamily.PYTHON, supports_inline_code=True),
            architecture=Architecture.ARM_64,
            code=Code.from_inline(source_of(_HANDLER)),
            handler="index.handler",
            timeout=Duration.seconds(_TIMEOUT_SECONDS),
            log_group=self.log_group,
            role=cast("IRole", self.role),
            initial_policy=[
                # No resource can be named for this action (L8), and no narrower action finds an organization by its
                # alias. The condition keeps the function from looking elsewhere.
                PolicyStatement(
                    actions=[LIST_ORGANIZATIONS],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:RequestedRegion": region}},
                )
            ],
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
                f"Organization-{self._name(alias)}",
                service_token=self.function.function_arn,
                service_timeout=Duration.minutes(_GIVE_UP_MINUTES),
                resource_type=LOOKUP_TYPE,
                properties={LOOKUP_ALIAS: alias},
            )
            organization_id = self._ids[alias] = resource.ref
        return organization_id

    def _name(self, alias: str) -> str:
        """Return what stands for an alias in a construct's id, which takes no token."""
        if not Token.is_unresolved(alias):
            return alias
        return sha256(json.dumps(Stack.of(self).resolve(alias), sort_keys=True).encode()).hexdigest()[:8]


_OF_STACK: Final[WeakKeyDictionary[Stack, OrganizationLookup]] = WeakKeyDictionary()
