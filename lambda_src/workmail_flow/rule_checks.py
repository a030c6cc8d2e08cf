"""What WorkMail demands of a rule, checked in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_flow.limits import MAX_RULE_TIMEOUT_MINUTES, MAX_SENDER_PATTERNS_PER_RULE
from workmail_flow.patterns import PatternKind
from workmail_flow.rule_problems import RuleFault, RuleProblem, listed, shown
from workmail_flow.vocabulary import RULE_ACTIONS, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workmail_flow.rules import FlowRule


def problems_of(rule: FlowRule) -> Iterator[RuleProblem]:
    """Return everything that keeps WorkMail from taking a rule (F1-F3, F6, F12, F13)."""
    if not rule.name or rule.name != rule.name.strip() or not rule.name.isprintable():
        yield RuleProblem(
            RuleFault.BAD_ENTRY, "name", f"found {rule.name!r}; a name without spaces at its ends is needed (F1)"
        )
    actions = RULE_ACTIONS[rule.direction]
    if rule.action not in actions:
        yield RuleProblem(
            RuleFault.ACTION_NOT_IN_DIRECTION,
            "action",
            f"found {rule.action}; {rule.direction.lower()} rules have {listed(actions)} (F2, F3)",
        )
    for path, patterns in (("senders", rule.senders), ("destinations", rule.destinations)):
        if not patterns:
            yield RuleProblem(RuleFault.BAD_ENTRY, path, "found no pattern; at least one is needed, * means any (F1)")
    if len(rule.senders) > MAX_SENDER_PATTERNS_PER_RULE:
        yield RuleProblem(
            RuleFault.TOO_MANY_SENDERS,
            "senders",
            f"found {len(rule.senders)} patterns; a rule may have {MAX_SENDER_PATTERNS_PER_RULE} (F6): split the rule",
        )
    if rule.action is RuleAction.RUN_LAMBDA:
        yield from _problems_of_run_lambda(rule)
    else:
        run_lambda_only = {
            "function": rule.function,
            "synchronous": rule.synchronous,
            "fallback": rule.fallback,
            "ruleTimeoutMinutes": rule.rule_timeout_minutes,
            "readsContent": rule.reads_content,
        }
        yield from _misplaced(run_lambda_only, f"only {RuleAction.RUN_LAMBDA} rules have it, this one is {rule.action}")
    if rule.action is not RuleAction.ROUTE_TO_SMTP_GATEWAY:
        yield from _misplaced(
            {"smtpGateway": rule.smtp_gateway},
            f"only {RuleAction.ROUTE_TO_SMTP_GATEWAY} rules have it, this one is {rule.action}",
        )


def _problems_of_run_lambda(rule: FlowRule) -> Iterator[RuleProblem]:
    if not rule.synchronous:
        only_synchronous = {"fallback": rule.fallback, "ruleTimeoutMinutes": rule.rule_timeout_minutes}
        yield from _misplaced(only_synchronous, "only synchronous rules have it (F13): set synchronous, or remove it")
        return
    for index, pattern in enumerate(rule.destinations):
        if pattern.kind is not PatternKind.ANY:
            yield RuleProblem(
                RuleFault.SYNCHRONOUS_DESTINATION,
                f"destinations[{index}]",
                f"found {pattern.text}; a synchronous rule supports the destination * only (F12): "
                "choose recipients in the function, or make the rule asynchronous",
            )
    fallbacks = [action for action in RULE_ACTIONS[rule.direction] if action is not RuleAction.RUN_LAMBDA]
    if rule.fallback not in fallbacks:
        yield RuleProblem(
            RuleFault.FALLBACK_NOT_IN_DIRECTION,
            "fallback",
            f"found {rule.fallback}; a synchronous {rule.direction.lower()} rule falls back to one of "
            f"{listed(fallbacks)} (F13)",
        )
    minutes = rule.rule_timeout_minutes
    if minutes is None or not 0 <= minutes <= MAX_RULE_TIMEOUT_MINUTES:
        yield RuleProblem(
            RuleFault.RULE_TIMEOUT,
            "ruleTimeoutMinutes",
            f"found {minutes}; a synchronous rule has 0 to {MAX_RULE_TIMEOUT_MINUTES} minutes, 0 for no retry (F13)",
        )


def _misplaced(fields: Mapping[str, object], why: str) -> Iterator[RuleProblem]:
    for path, value in fields.items():
        if value is not None:
            yield RuleProblem(RuleFault.MISPLACED_FIELD, path, f"found {shown(value)}; {why}")
