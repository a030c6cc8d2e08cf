"""What each fact that no source settles is taken to mean: named once, used by the code, told in docs/assumptions.md.

The readings are the safest ones we know: where WorkMail turns out to differ, mail is delivered rather than lost, and a
mistake shows while the rule is tried rather than in somebody's mailbox. A text is the reading as a message tells it; a
function or a value is the reading itself.
"""

from __future__ import annotations

from workmail_flow.vocabulary import FlowDirection, RuleAction

CONFLICTING_ACTIONS_FAIL = "no source says which of two actions wins, so the reply counts as malformed (R11, R8)"
"""R11: different actions that name one address, or that both claim all the rest."""

ACTION_OF_OTHER_DIRECTION_FAILS = "it counts as malformed, as an unknown type does (R11, R8)"
"""R11: an action type that the direction does not have."""

ADDED_OUTSIDER_FAILS = (
    "inbound, only addresses of the organization may be added, so the reply counts as malformed (R6, R8)"
)
"""R6: an inbound reply that names an address outside the organization which the event does not have."""


def unique_action(action: str, bounce_message: str | None) -> tuple[str, str | None]:
    """R7: entries of equal type and bounce message are one unique action, however many entries repeat it."""
    return action, bounce_message


def mailbox_key(mailbox: str) -> str:
    """F4, R5: `Mary@` and `mary@` are one mailbox, in patterns, events and replies alike."""
    return mailbox.lower()


def specificity_of_rule(sender: int, destination: int) -> tuple[int, int]:
    """F9: of two rules the one with the more specific sender pattern is more specific; destinations break the tie."""
    return sender, destination


def specificity_of_wildcard(domain: str) -> int:
    """F9: the deeper wildcard domain is more specific, so `*.mail.example.com` comes before `*.example.com`."""
    return domain.count(".") + 1


RESTRICTIVENESS = {
    FlowDirection.INBOUND: (
        RuleAction.DROP,
        RuleAction.BOUNCE,
        RuleAction.MOVE_TO_JUNK,
        RuleAction.DEFAULT,
        RuleAction.BYPASS_SPAM_CHECK,
        RuleAction.RUN_LAMBDA,
    ),
    FlowDirection.OUTBOUND: (
        RuleAction.DROP,
        RuleAction.BOUNCE,
        RuleAction.ROUTE_TO_SMTP_GATEWAY,
        RuleAction.RUN_LAMBDA,
        RuleAction.DEFAULT,
    ),
}
"""F10: most restrictive first. The documented order, but outbound Default, which restricts least, comes last."""

FIRST_OF_EQUALS_WINS = "the one that stands first decides"
"""F10: of rules of equal specificity and equal action, the one that stands first in the rule set wins."""
