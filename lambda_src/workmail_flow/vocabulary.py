"""The closed sets of words of WorkMail email flow, spelled as the service spells them."""

from __future__ import annotations

from enum import StrEnum


class FlowDirection(StrEnum):
    """Which way a message travels, as the event's `flowDirection` spells it (E1)."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class RuleAction(StrEnum):
    """What an email flow rule does with the mail it matches (F2, F3)."""

    DROP = "DROP"
    BOUNCE = "BOUNCE"
    MOVE_TO_JUNK = "MOVE_TO_JUNK"
    DEFAULT = "DEFAULT"
    BYPASS_SPAM_CHECK = "BYPASS_SPAM_CHECK"
    ROUTE_TO_SMTP_GATEWAY = "ROUTE_TO_SMTP_GATEWAY"
    RUN_LAMBDA = "RUN_LAMBDA"


class ReplyAction(StrEnum):
    """What a synchronous function may answer for a recipient (R2)."""

    BOUNCE = "BOUNCE"
    DROP = "DROP"
    DEFAULT = "DEFAULT"
    BYPASS_SPAM_CHECK = "BYPASS_SPAM_CHECK"
    MOVE_TO_JUNK = "MOVE_TO_JUNK"


RULE_ACTIONS: dict[FlowDirection, tuple[RuleAction, ...]] = {
    # In the documented order (F2, F3); `assumptions` says how F10 reads it.
    FlowDirection.INBOUND: (
        RuleAction.DROP,
        RuleAction.BOUNCE,
        RuleAction.MOVE_TO_JUNK,
        RuleAction.DEFAULT,
        RuleAction.BYPASS_SPAM_CHECK,
        RuleAction.RUN_LAMBDA,
    ),
    FlowDirection.OUTBOUND: (
        RuleAction.DEFAULT,
        RuleAction.DROP,
        RuleAction.BOUNCE,
        RuleAction.ROUTE_TO_SMTP_GATEWAY,
        RuleAction.RUN_LAMBDA,
    ),
}

REPLY_ACTIONS: dict[FlowDirection, tuple[ReplyAction, ...]] = {
    FlowDirection.INBOUND: tuple(ReplyAction),
    FlowDirection.OUTBOUND: (ReplyAction.BOUNCE, ReplyAction.DROP, ReplyAction.DEFAULT),
}
