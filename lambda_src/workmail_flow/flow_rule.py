"""One email flow rule, checked when it is made (F1-F3, F6, F12, F13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workmail_flow.limits import MAX_RULE_TIMEOUT_MINUTES, MAX_SENDER_PATTERNS_PER_RULE
from workmail_flow.patterns import Pattern, PatternKind
from workmail_flow.rule_entry import read_entry
from workmail_flow.rule_problems import RuleError, RuleFault, RuleProblem, listed, shown
from workmail_flow.vocabulary import RULE_ACTIONS, FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, kw_only=True)
class FlowRule:
    """One email flow rule, as an administrator would create it in the console.

    Args:
        name: Unique in the organization (F1).
        direction: Which mail it sees.
        action: One of the direction's actions (F2, F3).
        senders: 1 to 250 patterns (F6).
        destinations: 1 or more patterns; only `*` for a synchronous Run Lambda rule (F12).
        function: The function's ARN, or words that say where to find it; None while it is not known. Run Lambda only.
        synchronous: Whether mail waits for the function's answer. Run Lambda only, and needed there.
        fallback: What happens after the rule timeout (F13). Synchronous rules only, and needed there.
        rule_timeout_minutes: How long failed invocations are retried, 0 to 240; 0 is no retry (F13, T3). Synchronous
            rules only, and needed there.
        smtp_gateway: The name of the organization's gateway. Route to SMTP gateway only.
        acknowledged: Codes of lint findings to accept, each with the reason.
        reads_content: Whether the function fetches message content; None if that is not known. Run Lambda only.
        description: What the rule is for, in one line, for whoever types or reads it.
        owner: Whom to ask about it, in one line.

    Raises:
        RuleError: WorkMail would refuse the rule; lists every problem.
    """

    name: str
    direction: FlowDirection
    action: RuleAction
    senders: tuple[Pattern, ...]
    destinations: tuple[Pattern, ...]
    function: str | None = None
    synchronous: bool | None = None
    fallback: RuleAction | None = None
    rule_timeout_minutes: int | None = None
    smtp_gateway: str | None = None
    acknowledged: Mapping[str, str] = field(default_factory=dict, hash=False)
    reads_content: bool | None = None
    description: str | None = None
    owner: str | None = None

    def __post_init__(self) -> None:
        if problems := tuple(_problems_of(self)):
            raise RuleError(_refused(self.name), problems)

    @classmethod
    def from_json(cls, entry: object) -> FlowRule:
        """Read an entry of a rule file.

        Raises:
            RuleError: The entry does not have the shape of the rule file, or WorkMail would refuse the rule. Lists
                every problem, so that one round fixes all of them.
        """
        fields, problems = read_entry(entry)
        if None not in (fields["name"], fields["direction"], fields["action"]):
            try:
                rule = cls(**fields)
            except RuleError as error:
                known = {problem.path.partition("[")[0] for problem in problems}
                problems += [problem for problem in error.problems if problem.path not in known]
            else:
                if not problems:
                    return rule
        raise RuleError(_refused(fields["name"]), problems)

    def to_json(self) -> dict[str, object]:
        """Return the rule as an entry of a rule file; what is not set is left out."""
        optional: dict[str, object] = {
            "function": self.function,
            "synchronous": self.synchronous,
            "fallback": self.fallback and self.fallback.value,
            "ruleTimeoutMinutes": self.rule_timeout_minutes,
            "smtpGateway": self.smtp_gateway,
            "readsContent": self.reads_content,
            "description": self.description,
            "owner": self.owner,
            "acknowledge": dict(self.acknowledged) or None,
        }
        return {
            "name": self.name,
            "direction": self.direction.value.lower(),
            "action": self.action.value,
            "senders": [pattern.text for pattern in self.senders],
            "destinations": [pattern.text for pattern in self.destinations],
            **{key: value for key, value in optional.items() if value is not None},
        }

    @property
    def effect(self) -> tuple[object, ...]:
        """What happens to mail that gets the rule: two rules of equal effect are interchangeable."""
        return (
            self.action,
            self.function,
            self.synchronous,
            self.fallback,
            self.rule_timeout_minutes,
            self.smtp_gateway,
        )


def is_one_line(text: str) -> bool:
    """Whether text may be a rule's description or owner."""
    return bool(text.strip()) and text.isprintable()


def _refused(name: object) -> str:
    return f"WorkMail would refuse rule {name!r}"


def _problems_of(rule: FlowRule) -> Iterator[RuleProblem]:
    """Return every reason why WorkMail would refuse the rule (F1-F3, F6, F12, F13)."""
    if not rule.name or rule.name != rule.name.strip() or not rule.name.isprintable():
        yield RuleProblem(
            RuleFault.BAD_ENTRY, "name", f"found {rule.name!r}; a name without spaces at its ends is needed (F1)"
        )
    for path, text in (("description", rule.description), ("owner", rule.owner)):
        if text is not None and not is_one_line(text):
            yield RuleProblem(RuleFault.BAD_ENTRY, path, f"found {shown(text)}; one line of text is needed, or nothing")
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
