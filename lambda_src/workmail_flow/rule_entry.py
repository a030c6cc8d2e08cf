"""Reading one entry of a rule file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workmail_flow.patterns import Pattern, PatternError
from workmail_flow.rule_problems import RuleFault, RuleProblem, listed, shown, type_name
from workmail_flow.vocabulary import FlowDirection, RuleAction

DEFAULT_FALLBACK: Final = RuleAction.DEFAULT
"""The fallback of a synchronous rule that a rule file gives none: mail is delivered rather than lost."""

DEFAULT_RULE_TIMEOUT_MINUTES: Final = 30
"""The rule timeout of a synchronous rule that a rule file gives none: a throttled function recovers within it."""

KEYS: Final = {
    "name": True,
    "direction": True,
    "action": True,
    "senders": True,
    "destinations": True,
    "function": False,
    "synchronous": False,
    "fallback": False,
    "ruleTimeoutMinutes": False,
    "smtpGateway": False,
    "readsContent": False,
    "description": False,
    "owner": False,
    "acknowledge": False,
}
"""Each key of an entry, and whether it is needed."""


def read_entry(entry: object) -> tuple[dict[str, Any], list[RuleProblem]]:
    """Return the `FlowRule` arguments that can be read from an entry, and the problems of all the rest."""
    reader = _Reader(entry)
    return reader.read(), reader.problems


class _Reader:
    """Reads one entry of a rule file, collecting every problem."""

    def __init__(self, entry: object) -> None:
        self._entry: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
        self.problems: list[RuleProblem] = []
        if not isinstance(entry, Mapping):
            self._bad("", f"found {shown(entry)}; a rule is an object with {listed(KEYS)}")
            return
        for key in entry:
            if key not in KEYS:
                self._bad("", f"found the unknown key {shown(key)}; a rule has {listed(KEYS)}")
        for key, needed in KEYS.items():
            if needed and key not in entry:
                self._bad(key, "missing; every rule needs one (F1)")

    def read(self) -> dict[str, Any]:
        read: dict[str, Any] = {
            "name": self._typed("name", str),
            "direction": self._word("direction", FlowDirection),
            "action": self._word("action", RuleAction),
            "senders": self._patterns("senders"),
            "destinations": self._patterns("destinations"),
            "function": self._typed("function", str),
            "synchronous": self._typed("synchronous", bool),
            "fallback": self._word("fallback", RuleAction),
            "rule_timeout_minutes": self._typed("ruleTimeoutMinutes", int),
            "smtp_gateway": self._typed("smtpGateway", str),
            "acknowledged": self._acknowledged(),
            "reads_content": self._typed("readsContent", bool),
            "description": self._typed("description", str),
            "owner": self._typed("owner", str),
        }
        if read["action"] is RuleAction.RUN_LAMBDA:
            read["synchronous"] = bool(read["synchronous"])
            if read["synchronous"]:
                read["fallback"] = read["fallback"] or DEFAULT_FALLBACK
                if read["rule_timeout_minutes"] is None:
                    read["rule_timeout_minutes"] = DEFAULT_RULE_TIMEOUT_MINUTES
        return read

    def _bad(self, path: str, message: str, fault: RuleFault = RuleFault.BAD_ENTRY) -> None:
        self.problems.append(RuleProblem(fault, path, message))

    def _typed(self, key: str, kind: type) -> Any:
        value = self._entry.get(key)
        if value is None and (key not in self._entry or not KEYS[key]):
            return None
        if type(value) is not kind:
            self._bad(key, f"found {shown(value)}; {type_name(kind)} is needed")
            return None
        return value

    def _word(self, key: str, words: type[FlowDirection] | type[RuleAction]) -> Any:
        value = self._typed(key, str)
        if value is None:
            return None
        folded = value.upper() if words is FlowDirection else value
        if folded in tuple(words):
            return words(folded)
        allowed = [word.lower() if words is FlowDirection else word.value for word in words]
        self._bad(key, f"found {shown(value)}; allowed are {listed(allowed)}")
        return None

    def _patterns(self, key: str) -> tuple[Pattern, ...]:
        patterns = []
        for index, text in enumerate(self._typed(key, list) or ()):
            if not isinstance(text, str):
                self._bad(f"{key}[{index}]", f"found {shown(text)}; a pattern is needed, as a string")
                continue
            try:
                patterns.append(Pattern.parse(text))
            except PatternError as error:
                self._bad(f"{key}[{index}]", str(error), RuleFault.BAD_PATTERN)
        return tuple(patterns)

    def _acknowledged(self) -> dict[str, str]:
        acknowledged: dict[str, str] = {}
        for code, reason in (self._typed("acknowledge", dict) or {}).items():
            if isinstance(reason, str) and reason.strip():
                acknowledged[code] = reason
            else:
                self._bad(f"acknowledge.{code}", f"found {shown(reason)}; the reason is needed, as a string")
        return acknowledged
