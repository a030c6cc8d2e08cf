"""The rights of the person who types email flow rules into the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk.aws_iam import ManagedPolicy, PolicyStatement

if TYPE_CHECKING:
    from constructs import Construct

    from workmail_constructs.organization import WorkMailOrganization

_DIRECTIONS: Final = ("Inbound", "Outbound")

FLOW_RULE_OPERATOR_ACTIONS: Final = (
    *(
        f"workmail:{verb}{direction}MailFlowRule"
        for direction in _DIRECTIONS
        for verb in ("Create", "Describe", "Update", "Delete")
    ),
    *(f"workmail:{verb}{direction}MailFlowRules" for direction in _DIRECTIONS for verb in ("List", "Test")),
)
"""The console's actions on email flow rules: no public API has them (L7), but IAM checks them like any other."""


class FlowRuleOperatorPolicy(ManagedPolicy):
    """A managed policy to create, read, change, delete, list and test the email flow rules of one organization.

    It allows nothing else. To find the organization in the console, its holder also needs the rights to list and
    describe organizations, which a WorkMail administrator has.
    """

    def __init__(self, scope: Construct, id: str, *, organization: WorkMailOrganization) -> None:  # noqa: A002 - CDK's word
        super().__init__(
            scope,
            id,
            description="Type, change and test the email flow rules of one WorkMail organization",
            statements=[
                PolicyStatement(actions=list(FLOW_RULE_OPERATOR_ACTIONS), resources=[organization.organization_arn])
            ],
        )
