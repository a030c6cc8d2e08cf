"""The email flow rules of one organization, and which of them decides (F4-F14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from workmail_flow.decision import Inquiry, RuleDecision
from workmail_flow.flow_rule import FlowRule
from workmail_flow.rule_index import RuleIndex
from workmail_flow.rule_problems import RuleError, RuleFault, RuleProblem, listed, shown
from workmail_flow.vocabulary import FlowDirection
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from workmail_flow.words import AnyDirection


class RuleSet:
    """The email flow rules of one organization.

    Rules may share a name here, so that `lint` can report it; an organization does not allow that (F1).
    """

    def __init__(self, rules: Iterable[FlowRule] = ()) -> None:
        self.rules: Final = tuple(rules)

    @classmethod
    def from_json(cls, data: object) -> RuleSet:
        """Read a rule file's content, `{"rules": [...]}`.

        Raises:
            RuleError: It does not have the shape of a rule file, or WorkMail would refuse a rule; lists every problem.
        """
        rule_set, problems = cls.read(data)
        if problems:
            raise RuleError("WorkMail would refuse these rules", problems)
        return rule_set

    @classmethod
    def read(cls, data: object) -> tuple[RuleSet, tuple[RuleProblem, ...]]:
        """Read the rules of a rule file's content that are valid; return them with the problems of all others."""
        if not isinstance(data, Mapping) or not isinstance(data.get("rules"), list) or len(data) > 1:
            # Wrong keys say more than the values.
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

    def decide(self, *, direction: AnyDirection, sender: str | None, from_: str, recipient: str) -> RuleDecision:
        """Return which rule decides, what it does and why (F4-F11), as the console's Test would (F14).

        Args:
            direction: The way the message travels; rules of the other direction do not count.
            sender: The address of the `Sender` header; None without one.
            from_: The address of the `From` header.
            recipient: One recipient; rules are decided for each on its own (F8).

        Raises:
            ValueError: There is no such direction.
        """
        index = self.index(one_of(FlowDirection, direction, argument="direction"))
        return RuleDecision(Inquiry(index, sender, from_, recipient))

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
