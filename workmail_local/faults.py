"""Faults on demand: what goes wrong, for which rule, how often."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from workmail_local.state_file import read_state_file
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path


class FaultKind(StrEnum):
    """What can be made to go wrong."""

    FUNCTION_ERROR = "function-error"
    TIMEOUT = "timeout"
    CRASH = "crash"
    MALFORMED_REPLY = "malformed-reply"
    OVERSIZED_REPLY = "oversized-reply"
    THROTTLE = "throttle"
    PERMISSION_REMOVED = "permission-removed"
    DUPLICATE_INVOCATION = "duplicate-invocation"
    SLOW_CONTENT = "slow-content"
    CONTENT_NOT_FOUND = "content-not-found"
    FROZEN = "frozen"
    REJECTED = "rejected"
    S3_REFUSED = "s3-refused"
    MAILBOX_FULL = "mailbox-full"
    GATEWAY_UNREACHABLE = "gateway-unreachable"

    @property
    def effect(self) -> str:
        """What happens, for people."""
        return _EFFECTS[self]


_EFFECTS: Final = {
    FaultKind.FUNCTION_ERROR: "the invocation fails; the function does not run",
    FaultKind.TIMEOUT: "no answer in WorkMail's 15 seconds (T1), compressed by the time scale",
    FaultKind.CRASH: "the function exits without an answer; it does not run",
    FaultKind.MALFORMED_REPLY: "the reply is not of the form that WorkMail takes (R8)",
    FaultKind.OVERSIZED_REPLY: "the reply is larger than WorkMail takes (R8)",
    FaultKind.THROTTLE: 'Lambda answers "too many requests"',
    FaultKind.PERMISSION_REMOVED: "WorkMail may not invoke the function",
    FaultKind.DUPLICATE_INVOCATION: "the function runs twice for one event; the first answer counts",
    FaultKind.SLOW_CONTENT: "reading or updating content takes `seconds`",
    FaultKind.CONTENT_NOT_FOUND: "`GetRawMessageContent`: ResourceNotFoundException (C2)",
    FaultKind.FROZEN: "`PutRawMessageContent`: MessageFrozen (C7)",
    FaultKind.REJECTED: "`PutRawMessageContent`: MessageRejected (C8)",
    FaultKind.S3_REFUSED: "`PutRawMessageContent`: InvalidContentLocation (C5)",
    FaultKind.MAILBOX_FULL: "inbound mail that would be delivered bounces, for all recipients of the rule",
    FaultKind.GATEWAY_UNREACHABLE: "mail that goes to an SMTP gateway bounces to its sender (W5)",
}

GET_FAULTS = frozenset({FaultKind.SLOW_CONTENT, FaultKind.CONTENT_NOT_FOUND})
PUT_FAULTS = frozenset({FaultKind.SLOW_CONTENT, FaultKind.FROZEN, FaultKind.REJECTED, FaultKind.S3_REFUSED})
DELIVERY_FAULTS = frozenset({FaultKind.MAILBOX_FULL, FaultKind.GATEWAY_UNREACHABLE})
INVOCATION_FAULTS = frozenset(FaultKind) - GET_FAULTS - PUT_FAULTS - DELIVERY_FAULTS


class FaultPlanError(ValueError):
    """A fault plan that cannot be read; the text names every problem."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        fault: What goes wrong.
        rule: Name of the only rule it applies to; None for every rule.
        times: How often it happens at most; None for no limit. A retry counts again.
        messages: How many messages it applies to, with all their attempts; None for every message.
        after: How many calls succeed before the first fault.
        seconds: How long `slow-content` waits, 0 to 900.
    """

    fault: FaultKind
    rule: str | None = None
    times: int | None = None
    messages: int | None = None
    after: int = 0
    seconds: float = 5.0

    @classmethod
    def from_json(cls, raw: object) -> Fault:
        """Read one entry of a plan; raises a FaultPlanError that names every problem."""
        if not isinstance(raw, dict | str):
            raise FaultPlanError(f"found {raw!r}; allowed is an object, or the name of a fault")
        entry: dict[str, Any] = {"fault": raw} if isinstance(raw, str) else raw
        keys = tuple(cls.__dataclass_fields__)
        problems = [f"{key}: unknown; allowed are {', '.join(keys)}" for key in entry if key not in keys]
        kind = entry.get("fault")
        if kind not in tuple(FaultKind):
            problems.append(f"fault: found {kind!r}; allowed are {', '.join(FaultKind)}")
        for key, low in (("times", 1), ("messages", 1), ("after", 0)):
            value = entry.get(key)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < low):
                problems.append(f"{key}: found {value!r}; allowed is a whole number from {low}")
        seconds = entry.get("seconds", 5.0)
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 900:
            problems.append(f"seconds: found {seconds!r}; allowed is a number from 0 to 900")
        if not isinstance(entry.get("rule"), str | None):
            problems.append(f"rule: found {entry.get('rule')!r}; allowed is a rule's name")
        if problems:
            raise FaultPlanError("; ".join(problems))
        return cls(
            FaultKind(str(kind)),
            entry.get("rule"),
            entry.get("times"),
            entry.get("messages"),
            entry.get("after") or 0,
            float(seconds),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entry without defaults."""
        unneeded = () if self.fault is FaultKind.SLOW_CONTENT else ("seconds",)
        return {key: value for key, value in asdict(self).items() if value not in (None, 0) and key not in unneeded}


@dataclass(slots=True)
class _Active:
    fault: Fault
    passed: int
    hits: int
    flows: set[str]


class FaultPlan:
    """The active faults, in order: the first one that applies to a call happens.

    The plan and its counts are kept in a file, so a restart changes nothing.
    """

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one.

        Raises:
            StateFileError: It is no plan that a run has kept.
        """
        self._path = path
        self._active: list[_Active] = []
        with suppress(FileNotFoundError):
            self._active = read_state_file(path, _active_faults, remedy="delete it to start without faults")

    def replace(self, faults: Iterable[Fault]) -> None:
        """Replace all active faults."""
        self._active = [_Active(fault, 0, 0, set()) for fault in faults]
        self._save()

    def add(self, fault: Fault) -> None:
        """Activate one more fault."""
        self._active.append(_Active(fault, 0, 0, set()))
        self._save()

    def take(self, kinds: Collection[FaultKind], *, rule: str | None, flow_id: str) -> Fault | None:
        """Return the fault that happens to this call, and count it; None if no fault applies."""
        for active in self._active:
            fault = active.fault
            if fault.fault not in kinds or fault.rule not in (None, rule):
                continue
            if fault.times is not None and active.hits >= fault.times:
                continue
            if active.passed < fault.after:
                active.passed += 1
                self._save()
                continue
            if fault.messages is not None and flow_id not in active.flows:
                if len(active.flows) >= fault.messages:
                    continue
                active.flows.add(flow_id)
            active.hits += 1
            self._save()
            return fault
        return None

    def to_json(self) -> list[dict[str, Any]]:
        """Return every active fault with its `hits`: how often it has happened."""
        return [active.fault.to_json() | {"hits": active.hits} for active in self._active]

    def _save(self) -> None:
        plan = [
            active.fault.to_json()
            | {"used": {"passed": active.passed, "hits": active.hits, "flows": sorted(active.flows)}}
            for active in self._active
        ]
        write_whole_file(self._path, json.dumps(plan).encode())


def _active_faults(raw: object) -> list[_Active]:
    if not isinstance(raw, list):
        raise FaultPlanError("it is not a list")
    active = []
    for entry in raw:
        used = entry.pop("used")
        active.append(_Active(Fault.from_json(entry), int(used["passed"]), int(used["hits"]), set(used["flows"])))
    return active


def read_fault_plan(text: str, *, parse: Callable[[str], object] = json.loads) -> tuple[Fault, ...]:
    """Read a plan: a list of faults, or an object with the list under `faults`.

    Args:
        text: The plan.
        parse: Parses the text, JSON or YAML; raises ValueError.

    Raises:
        FaultPlanError: It is not a plan; the text names every problem.
    """
    try:
        raw = parse(text)
    except (ValueError, RecursionError) as error:
        raise FaultPlanError(f"not readable: {error}") from None
    entries = raw.get("faults") if isinstance(raw, dict) else raw
    if not isinstance(entries, list):
        raise FaultPlanError('a fault plan is a list of faults, or {"faults": [...]}')
    faults: list[Fault] = []
    problems: list[str] = []
    for position, entry in enumerate(entries):
        try:
            faults.append(Fault.from_json(entry))
        except FaultPlanError as error:
            problems.append(f"faults[{position}]: {error}")
    if problems:
        raise FaultPlanError("\n".join(problems))
    return tuple(faults)
