"""The table in which a rule's steps write down what they did for an invocation (E7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import RemovalPolicy
from aws_cdk.aws_dynamodb import Attribute, AttributeType, BillingMode, Table, TableEncryption
from aws_cdk.aws_iam import PolicyStatement
from constructs import Construct

if TYPE_CHECKING:
    from typing import Self

_ID: Final = "OnceTable"


class OnceTable(Construct):
    """A table that forgets after a day: encrypted, paid per request, deleted with its stack.

    It holds ids of invocations and what a step returned, no address and no content.
    """

    variable: Final = "WORKMAIL_STEPS_TABLE"
    """The environment variable that names the table to the steps."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        self.table = Table(
            self,
            "Table",
            partition_key=Attribute(name="id", type=AttributeType.STRING),
            billing_mode=BillingMode.PAY_PER_REQUEST,
            encryption=TableEncryption.AWS_MANAGED,
            time_to_live_attribute="expires",
            removal_policy=RemovalPolicy.DESTROY,
        )

    @classmethod
    def of(cls, rule: Construct) -> Self:
        """Return the table of a rule."""
        found = rule.node.try_find_child(_ID)
        return found if isinstance(found, cls) else cls(rule, _ID)

    @property
    def name(self) -> str:
        """The table's name, a token."""
        return self.table.table_name

    def statement(self) -> PolicyStatement:
        """Return what the steps do with the table."""
        return PolicyStatement(
            actions=["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"], resources=[self.table.table_arn]
        )
