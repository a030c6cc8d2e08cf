"""The table in which a rule's steps write down what they did for an invocation (E7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk.aws_iam import PolicyStatement
from constructs import Construct

from workmail_constructs.steps.expiring_table import expiring_table

if TYPE_CHECKING:
    from typing import Self

_ID: Final = "OnceTable"


class OnceTable(Construct):
    """A table that forgets after a day.

    It holds ids of invocations and what a step returned, no address and no content.
    """

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        self.table = expiring_table(self)

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
