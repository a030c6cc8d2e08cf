"""The functions behind our custom resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_lambda import Architecture, Code, Function, Runtime, RuntimeFamily
from aws_cdk.aws_logs import LogGroup
from constructs import Construct

from workmail_constructs import defaults
from workmail_constructs.assets import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Stack
    from aws_cdk.aws_iam import IPrincipal, IRole, PolicyStatement

GIVE_UP: Final = Duration.minutes(10)
"""How long CloudFormation waits. A function that cannot start does not answer, and Lambda tries it three times; an hour
is CloudFormation's own choice."""


class CustomResourceFunction(Construct):
    """A function of ours that answers CloudFormation, for all custom resources of its kind in a stack.

    It hangs on the stack, so renaming the construct that needs it changes nothing in the template.
    """

    function: Function
    """Python, from code in the template itself."""
    role: Role
    """May do what the custom resource needs and write to the log group; no managed policy."""
    log_group: LogGroup
    """Kept for a month, and deleted with the stack: it has ids only."""

    def __init__(
        self,
        stack: Stack,
        id: str,  # noqa: A002 - CDK's word
        *,
        handler: str,
        description: str,
        timeout_seconds: int,
        statements: Sequence[PolicyStatement] = (),
    ) -> None:
        """Make the function.

        Args:
            stack: The stack whose custom resources it answers for.
            id: The construct's id.
            handler: The module of `workmail_custom_resources` that has it.
            description: What it does, for who finds it in the console.
            timeout_seconds: The handler answers 25 seconds before they are over.
            statements: What it may do besides writing its log.
        """
        super().__init__(stack, id)
        self.log_group = LogGroup(
            self, "LogGroup", retention=defaults.LOG_RETENTION, removal_policy=RemovalPolicy.DESTROY
        )
        # Not the role that CDK makes: it may write to every log group of the account.
        self.role = Role(self, "Role", assumed_by=cast("IPrincipal", ServicePrincipal("lambda.amazonaws.com")))
        self.log_group.grant_write(self.role)
        self.function = Function(
            self,
            "Function",
            description=description,
            runtime=Runtime(f"python{defaults.PYTHON_VERSION}", RuntimeFamily.PYTHON, supports_inline_code=True),
            architecture=Architecture.ARM_64,
            code=Code.from_inline(source_of(f"workmail_custom_resources.{handler}")),
            handler="index.handler",
            timeout=Duration.seconds(timeout_seconds),
            log_group=self.log_group,
            role=cast("IRole", self.role),
            initial_policy=[*statements] or None,
        )
