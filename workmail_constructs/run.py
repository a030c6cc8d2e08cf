"""How WorkMail runs a rule's function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from workmail_constructs.defaults import RULE_TIMEOUT_MINUTES
from workmail_flow.limits import MAX_RULE_TIMEOUT_MINUTES
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from aws_cdk import Duration


class FallbackAction(StrEnum):
    """What happens to mail whose function gave no valid answer before the rule timeout was over (F13, T2)."""

    DROP = "DROP"
    BOUNCE = "BOUNCE"
    DEFAULT = "DEFAULT"
    MOVE_TO_JUNK = "MOVE_TO_JUNK"
    """Inbound rules only."""
    BYPASS_SPAM_CHECK = "BYPASS_SPAM_CHECK"
    """Inbound rules only."""
    ROUTE_TO_SMTP_GATEWAY = "ROUTE_TO_SMTP_GATEWAY"
    """Outbound rules only."""


AnyFallbackAction: TypeAlias = (
    FallbackAction | Literal["DROP", "BOUNCE", "DEFAULT", "MOVE_TO_JUNK", "BYPASS_SPAM_CHECK", "ROUTE_TO_SMTP_GATEWAY"]
)


@dataclass(frozen=True, slots=True)
class Run:
    """Whether mail waits for the function; make it with `synchronous` or `asynchronous`."""

    is_synchronous: bool
    fallback: FallbackAction | None
    rule_timeout_minutes: int | None

    @classmethod
    def synchronous(cls, *, fallback: AnyFallbackAction, rule_timeout: Duration | None = None) -> Self:
        """Let mail wait for the function's answer, 15 seconds at most (T1).

        Args:
            fallback: What happens to mail once WorkMail stops retrying a function that fails.
            rule_timeout: How long WorkMail retries: 0 to 240 whole minutes, 0 for no retry (F13, T3); 30 by default.

        Raises:
            ValueError: There is no such fallback action, or the rule timeout is out of that range.
        """
        action = one_of(FallbackAction, fallback, argument="fallback")
        minutes = float(RULE_TIMEOUT_MINUTES)
        if rule_timeout is not None:
            minutes = float(rule_timeout.to_minutes(integral=False))
            if not minutes.is_integer() or not 0 <= minutes <= MAX_RULE_TIMEOUT_MINUTES:
                raise ValueError(
                    f"rule_timeout: found {minutes:g} minutes; a rule timeout is 0 to {MAX_RULE_TIMEOUT_MINUTES} whole "
                    "minutes, 0 for no retry (F13, T3)"
                )
        return cls(True, action, int(minutes))

    @classmethod
    def asynchronous(cls) -> Self:
        """Let the function run while mail is delivered; neither its answer nor its failure changes that (R10, T4)."""
        return cls(False, None, None)
