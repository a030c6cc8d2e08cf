"""Email flow rules (F1-F13), alone and as the set of an organization."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from workmail_flow.decision import Inquiry, RuleDecision
from workmail_flow.rule_checks import problems_of
from workmail_flow.rule_entry import read_entry
from workmail_flow.rule_index import RuleIndex
from workmail_flow.rule_problems import RuleError, RuleFault, RuleProblem, listed, shown
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from workmail_flow.patterns import Pattern

__all__ = ["FlowRule", "RuleDecision", "RuleError", "RuleSet"]


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
        fallback: What happens once the rule timeout is over (F13). Synchronous rules only, and needed there.
        rule_timeout_minutes: How long failed invocations are retried, 0 to 240; 0 is no retry (F13, T3). Synchronous
            rules only, and needed there.
        smtp_gateway: The name of the organization's gateway. Route to SMTP gateway only.
        acknowledged: Codes of lint findings that are meant to be, each with the reason.
        reads_content: Whether the function fetches message content; None if that is not known. Run Lambda only.

    Raises:
        RuleError: WorkMail would not take the rule; every problem is told.
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

    def __post_init__(self) -> None:
        problems = tuple(problems_of(self))
        if problems:
            raise RuleError(f"rule {self.name!r} is not one WorkMail would take", problems)

    @classmethod
    def from_json(cls, entry: object) -> FlowRule:
        """Read an entry of a rule file.

        Raises:
            RuleError: The entry is not of the rule file's shape, or WorkMail would not take the rule.
        """
        return cls(**read_entry(entry))

    def to_json(self) -> dict[str, object]:
        """Return the rule as an entry of a rule file; what is not set is left out."""
        optional: dict[str, object] = {
            "function": self.function,
            "synchronous": self.synchronous,
            "fallback": self.fallback and self.fallback.value,
            "ruleTimeoutMinutes": self.rule_timeout_minutes,
            "smtpGateway": self.smtp_gateway,
            "readsContent": self.reads_content,
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
        """What happens to mail that gets the rule: rules of equal effect need not be told apart."""
        return (
            self.action,
            self.function,
            self.synchronous,
            self.fallback,
            self.rule_timeout_minutes,
            self.smtp_gateway,
        )


class RuleSet:
    """The email flow rules of one organization.

    Rules may share names here, so that `lint` can tell; an organization does not allow it (F1).
    """

    def __init__(self, rules: Iterable[FlowRule] = ()) -> None:
        self.rules: Final = tuple(rules)

    @classmethod
    def from_json(cls, data: object) -> RuleSet:
        """Read a rule file's content, `{"rules": [...]}`.

        Raises:
            RuleError: It is not of the rule file's shape, or WorkMail would not take a rule; every problem is told.
        """
        rule_set, problems = cls.read(data)
        if problems:
            raise RuleError("the rules are not ones WorkMail would take", problems)
        return rule_set

    @classmethod
    def read(cls, data: object) -> tuple[RuleSet, tuple[RuleProblem, ...]]:
        """Read what can be read of a rule file's content; return it with the problems of all the rest."""
        if not isinstance(data, Mapping) or not isinstance(data.get("rules"), list) or len(data) > 1:
            # Its keys say more than its content, unless they are right.
            other_keys = isinstance(data, Mapping) and data.keys() - {"rules"}
            found = f"an object with {listed(data)}" if isinstance(data, Mapping) and other_keys else shown(data)
            problem = RuleProblem(
                RuleFault.BAD_ENTRY,
                "$",
                f'found {found}; a rule file is {{"rules": [...]}}, with a list and nothing else',
            )
            return cls(), (problem,)
        rules: list[FlowRule] = []
        problems: list[RuleProblem] = []
        for index, entry in enumerate(data["rules"]):
            try:
                rules.append(FlowRule.from_json(entry))
            except RuleError as error:
                problems += (problem.under(f"$.rules[{index}]") for problem in error.problems)
        return cls(rules), tuple(problems)

    def to_json(self) -> dict[str, object]:
        """Return the content of a rule file."""
        return {"rules": [rule.to_json() for rule in self.rules]}

    def decide(self, *, direction: FlowDirection, sender: str | None, from_: str, recipient: str) -> RuleDecision:
        """Return which rule decides, what it does and why (F4-F11), as the console's Test would (F14).

        Args:
            direction: The way the message travels; rules of the other direction have no say.
            sender: The address of the `Sender` header; None without one.
            from_: The address of the `From` header.
            recipient: One recipient: each is judged on its own (F8).
        """
        return RuleDecision(Inquiry(self.index(direction), sender, from_, recipient))

    def index(self, direction: FlowDirection) -> RuleIndex:
        """Return the index of a direction's rules."""
        return self._indexes[direction]

    @cached_property
    def _indexes(self) -> dict[FlowDirection, RuleIndex]:
        return {direction: RuleIndex(self.rules, direction) for direction in FlowDirection}

    def __iter__(self) -> Iterator[FlowRule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def __eq__(self, other: object) -> bool:
        return self.rules == other.rules if isinstance(other, RuleSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.rules)

    def __repr__(self) -> str:
        return f"RuleSet({list(self.rules)!r})"
