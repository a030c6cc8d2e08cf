"""A table whose items are worth nothing after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk.aws_dynamodb import Attribute, AttributeType, BillingMode, Table, TableEncryption

if TYPE_CHECKING:
    from constructs import Construct


def expiring_table(scope: Construct) -> Table:
    """Make a table with the partition key `id`, whose items end at `expires`.

    It is encrypted, paid per request, and deleted with its stack.
    """
    return Table(
        scope,
        "Table",
        partition_key=Attribute(name="id", type=AttributeType.STRING),
        billing_mode=BillingMode.PAY_PER_REQUEST,
        encryption=TableEncryption.AWS_MANAGED,
        time_to_live_attribute="expires",
        removal_policy=RemovalPolicy.DESTROY,
    )
