"""Why WorkMail would refuse an email flow rule, all problems at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class RuleFault(StrEnum):
    """The kinds of reasons why WorkMail would refuse a rule."""

    BAD_ENTRY = "bad-entry"
    """A missing or unknown key, or a value of the wrong type."""
    BAD_PATTERN = "bad-pattern"
    """Text that is not a pattern (F4, F5)."""
    ACTION_NOT_IN_DIRECTION = "action-not-in-direction"
    """An action that the direction lacks (F2, F3)."""
    TOO_MANY_SENDERS = "too-many-senders"
    """More sender patterns than a rule may have (F6)."""
    SYNCHRONOUS_DESTINATION = "synchronous-destination"
    """A synchronous rule whose destination is not `*` (F12)."""
    FALLBACK_NOT_IN_DIRECTION = "fallback-not-in-direction"
    """A fallback action that the direction lacks, or Run Lambda (F13)."""
    RULE_TIMEOUT = "rule-timeout"
    """A rule timeout that is not from 0 to 240 minutes (F13)."""
    MISPLACED_FIELD = "misplaced-field"
    """A field that belongs to another action or to synchronous rules only (F13)."""


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One reason why WorkMail would refuse a rule.

    Args:
        fault: Its kind.
        path: Where in the rule, for example `senders[2]`; in a rule file `$.rules[0].senders[2]`.
        message: What was found, what is allowed, what to do.
    """

    fault: RuleFault
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def under(self, path: str) -> RuleProblem:
        """Return the problem with `path` in front of its own path."""
        return RuleProblem(self.fault, f"{path}.{self.path}" if self.path else path, self.message)


class RuleError(ValueError):
    """WorkMail would refuse one or more rules; the message lists every problem."""

    def __init__(self, what: str, problems: Iterable[RuleProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{what}:", *(f"  {problem}" for problem in self.problems)]))


_TYPE_NAMES: Final = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def type_name(kind: type) -> str:
    """Name a JSON type."""
    return _TYPE_NAMES.get(kind, kind.__name__)


def shown(value: object) -> str:
    """Show a JSON value, cut where it is long."""
    if isinstance(value, Enum):
        value = value.value
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def listed(words: Iterable[object]) -> str:
    """List words in a sentence."""
    return ", ".join(str(word) for word in words)
