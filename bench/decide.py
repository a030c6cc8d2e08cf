"""Deciding which rule wins, against a linear scan; parsing, indexing and linting as rule sets grow."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from bench._measure import Measure
from workmail_flow.lint import lint
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import RULE_ACTIONS, FlowDirection

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_flow.flow_rule import FlowRule

SIZES = (10, 100, 1_000)
QUESTIONS = 200
ROUNDS = 7
RANK = {"any": 0, "wildcard": 1, "domain": 2, "address": 3}


def run() -> list[Measure]:
    """Measure each size, ours and the scan taking turns."""
    contents = {size: _content(size) for size in SIZES}
    sets = {size: RuleSet.from_json(content) for size, content in contents.items()}
    questions = {size: _questions(contents[size]) for size in SIZES}
    ours: dict[int, list[float]] = {size: [] for size in SIZES}
    scans: dict[int, list[float]] = {size: [] for size in SIZES}
    work: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            ours[size].append(_cpu(lambda size=size: _ask(sets[size], questions[size])))  # type: ignore[misc]
            scans[size].append(_cpu(lambda size=size: _scan_all(contents[size], questions[size])))  # type: ignore[misc]
            if size > SIZES[0]:
                work[size].append(_cpu(lambda size=size: lint(RuleSet.from_json(contents[size]))))  # type: ignore[misc]
    microseconds = 1e6 / QUESTIONS
    each = {size: statistics.median(times) * microseconds for size, times in ours.items()}
    scan = {size: statistics.median(times) * microseconds for size, times in scans.items()}
    goals = {10: None, 100: None, 1_000: 0.01}
    return [
        *(
            Measure(f"decide at {size} patterns", each[size], scan[size], "µs CPU", goals[size], "a linear scan")
            for size in SIZES
        ),
        Measure("decide at 1,000 patterns", each[1_000], each[10], "µs CPU", 1.3, "itself at 10 patterns"),
        Measure(
            "parse, index and lint 1,000 patterns",
            statistics.median(work[1_000]) * 1e3,
            statistics.median(work[100]) * 1e3,
            "ms CPU",
            15,
            "itself at 100 patterns",
        ),
    ]


def _content(patterns: int) -> dict[str, object]:
    """A rule set of so many patterns, half of them senders': addresses, domains, wildcards, a few broad rules."""
    chance = random.Random(patterns)
    actions = [action.value for action in RULE_ACTIONS[FlowDirection.INBOUND] if action != "RUN_LAMBDA"]
    rules: list[dict[str, object]] = []
    for number in range(patterns // 2):
        domain = f"d{number % max(patterns // 5, 2)}.example"
        sender = chance.choice((f"user{number}@{domain}", domain, f"*.{domain}")) if number else "*"
        rules.append(
            {
                "name": f"rule {number}",
                "direction": "inbound",
                "action": "DEFAULT" if number == 0 else chance.choice(actions),
                "senders": [sender],
                "destinations": [chance.choice(("*", f"box{number}@example.com"))],
            }
        )
    return {"rules": rules}


def _questions(content: dict[str, object]) -> list[tuple[str, str]]:
    chance = random.Random(1)
    domains = max(len(content["rules"]) * 2 // 5, 2)  # type: ignore[arg-type]
    return [
        (
            f"user{chance.randrange(1_000)}@{chance.choice(('', 'mail.'))}d{chance.randrange(domains)}.example",
            f"box{chance.randrange(1_000)}@example.com",
        )
        for _ in range(QUESTIONS)
    ]


def _ask(rules: RuleSet, questions: list[tuple[str, str]]) -> list[FlowRule | None]:
    decide = rules.decide
    return [
        decide(direction=FlowDirection.INBOUND, sender=None, from_=sender, recipient=recipient).rule
        for sender, recipient in questions
    ]


def _scan_all(content: dict[str, object], questions: list[tuple[str, str]]) -> list[object]:
    return [_scan(content["rules"], *question) for question in questions]


def _scan(rules: object, sender: str, recipient: str) -> object:
    """What one would write by hand: look at every pattern of every rule, keep the best."""
    order = ["DROP", "BOUNCE", "MOVE_TO_JUNK", "DEFAULT", "BYPASS_SPAM_CHECK", "RUN_LAMBDA"]
    best, best_rule = None, None
    for rule in rules:  # type: ignore[attr-defined]
        of_sender = max((_rank(pattern, sender) for pattern in rule["senders"]), default=(-1, 0))
        if of_sender[0] < 0:
            continue
        of_recipient = max((_rank(pattern, recipient) for pattern in rule["destinations"]), default=(-1, 0))
        if of_recipient[0] < 0:
            continue
        found = (of_sender, of_recipient, -order.index(rule["action"]))
        if best is None or found > best:
            best, best_rule = found, rule
    return best_rule


def _rank(pattern: str, address: str) -> tuple[int, int]:
    pattern, address = pattern.lower(), address.lower()
    domain = address.rpartition("@")[2]
    if pattern == "*":
        return RANK["any"], 0
    if pattern == address:
        return RANK["address"], 0
    if pattern == domain:
        return RANK["domain"], 0
    if pattern.startswith("*.") and (domain == pattern[2:] or domain.endswith(pattern[1:])):
        return RANK["wildcard"], pattern.count(".")
    return -1, 0


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
