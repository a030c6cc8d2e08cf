"""Lists of senders or recipients."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, Unpack

from aws_cdk import RemovalPolicy, Stack
from aws_cdk.aws_dynamodb import (
    Attribute,
    AttributeType,
    BillingMode,
    PointInTimeRecoverySpecification,
    Table,
    TableEncryption,
)
from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.steps.deciding_step import DecidingStep
from workmail_constructs.steps.decision import Decision, Junk, configured, decisions
from workmail_constructs.steps.rule_steps import packed_patterns
from workmail_constructs.steps.step import OnFailure, StepOptions, patterns
from workmail_flow.vocabulary import ReplyAction
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk.aws_dynamodb import ITable

    from workmail_constructs.steps.binding import StepBinding

MAX_PATTERNS: Final = 10_000
"""Patterns of both packed lists together; each is read at a cold start."""

_KEY: Final = "pattern"


class Whose(StrEnum):
    """Whose addresses the lists have."""

    SENDERS = "SENDERS"
    """The envelope's sender, and who sent on behalf of it (E3). That is a claim: see the docs."""
    RECIPIENTS = "RECIPIENTS"
    """Each recipient, who gets a decision of its own."""


class Wins(StrEnum):
    """Which list wins where both have a pattern for an address, however specific the patterns are."""

    ALLOW = "ALLOW"
    BLOCK = "BLOCK"


AnyWhose: TypeAlias = Whose | Literal["SENDERS", "RECIPIENTS"]
AnyWins: TypeAlias = Wins | Literal["ALLOW", "BLOCK"]


class AllowOrBlock(DecidingStep):
    """Decides by lists of senders or recipients, packed with the code or in a table that an administrator edits.

    A table has one item per pattern: `pattern`, its key, and `list`, which is `ALLOW` or `BLOCK`.
    """

    function = "workmail_rules.allow_or_block:run"
    default_on_failure = OnFailure.FAIL

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        block: Sequence[str] = (),
        table: ITable | None = None,
        whose: AnyWhose = Whose.SENDERS,
        wins: AnyWins = Wins.ALLOW,
        blocked: Decision | None = Junk(),  # noqa: B008 - frozen
        allowed: Decision | None = None,
        otherwise: Decision | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        """Take the lists, or the table they are in.

        Args:
            allow: Patterns (F4), packed with the code; at most 10,000 with those of `block`.
            block: The same. Without any pattern the lists are in a table.
            table: A table with the partition key `pattern`, a string. Without it and without patterns one is made: kept
                when the stack is deleted, encrypted, with point-in-time recovery. It is the step's `table`.
            whose: Whose addresses the lists have.
            wins: Which list wins where both match.
            blocked: What to decide for those on the list to block.
            allowed: What to decide for those on the list to allow; None leaves what was decided before.
            otherwise: What to decide for those on neither list.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: A pattern is not valid, there are too many, or both patterns and a table are given.
            TypeError: One string is given for a list, or something else for a decision.
        """
        super().__init__(**options)
        self._allow = tuple(patterns(allow, argument="allow") if allow != () else ())
        self._block = tuple(patterns(block, argument="block") if block != () else ())
        count = len(self._allow) + len(self._block)
        if count > MAX_PATTERNS:
            raise ValueError(
                f"allow, block: found {count:,} patterns; at most {MAX_PATTERNS:,} are packed with the code: "
                "leave both out to have them in a table"
            )
        if count and table is not None:
            raise ValueError("table: found beside allow or block; lists are packed or in a table, so give one of them")
        if isinstance(table, Table) and (problem := _key_problem(table)):
            raise ValueError(f"table: {problem}")
        self._decisions = decisions(blocked=blocked, allowed=allowed, otherwise=otherwise)
        self._words = {
            "whose": one_of(Whose, whose, argument="whose").value,
            "wins": one_of(Wins, wins, argument="wins").value,
        }
        self._table = table
        # Where somebody gets nothing, mail that was not looked up must not be delivered.
        self.guards = any(
            each.action in (ReplyAction.BOUNCE, ReplyAction.DROP) for each in self._decisions.values() if each
        )

    @property
    def table(self) -> ITable:
        """The table of the lists.

        Raises:
            AttributeError: The lists are packed, or no rule with the step is made yet.
        """
        if self._table is None:
            raise AttributeError(
                f"table: found none at {self.name}; only a step without allow and block has one, once its rule is made"
            )
        return self._table

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return lists or table, and the decisions; let the function look up items of the table."""
        configuration = {**self._words, **configured(self._decisions)}
        if self._allow or self._block:
            packed = {"allow": packed_patterns(self._allow), "block": packed_patterns(self._block)}
            return {**configuration, **packed}
        if self._table is None:
            self._table = Table(
                binding.scope,
                "Lists",
                partition_key=Attribute(name=_KEY, type=AttributeType.STRING),
                billing_mode=BillingMode.PAY_PER_REQUEST,
                encryption=TableEncryption.AWS_MANAGED,
                point_in_time_recovery_specification=PointInTimeRecoverySpecification(
                    point_in_time_recovery_enabled=True
                ),
                removal_policy=RemovalPolicy.RETAIN,
            )
        binding.grant([PolicyStatement(actions=["dynamodb:BatchGetItem"], resources=[self._table.table_arn])])
        if key := self._table.encryption_key:
            service = f"dynamodb.{Stack.of(binding.rule).region}.amazonaws.com"
            binding.grant(
                [
                    PolicyStatement(
                        actions=["kms:Decrypt"],
                        resources=[key.key_arn],
                        conditions={"StringEquals": {"kms:ViaService": service}},
                    )
                ]
            )
        return {**configuration, "table": self._table.table_name}


def _key_problem(table: Table) -> str | None:
    schema = table.schema_v2()
    keys = [(key.name, key.type) for key in (*schema.partition_keys, *schema.sort_keys)]
    if keys == [(_KEY, AttributeType.STRING)]:
        return None
    found = ", ".join(f"{name} ({kind.name.lower()})" for name, kind in keys)
    return f"found one with the key {found}; the key has to be {_KEY} (string)"
