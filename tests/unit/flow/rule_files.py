"""Rule-file entries, short to write."""

from __future__ import annotations

from typing import Any

from workmail_flow.rule_set import RuleSet


def entry(action: str, senders: str = "*", destinations: str = "*", **more: Any) -> dict[str, Any]:
    """One inbound rule named as its action by default; patterns are given as words."""
    return {
        "name": action,
        "direction": "inbound",
        "action": action,
        "senders": senders.split(),
        "destinations": destinations.split(),
        **more,
    }


def rules(*entries: dict[str, Any]) -> RuleSet:
    """A rule set of these entries."""
    return RuleSet.from_json({"rules": list(entries)})
