"""The event of every edition, as WorkMail sends it: one JSON file each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parent / "events"
EVENT_NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))


def load_event(name: str, **changes: Any) -> dict[str, Any]:
    """Return an event by its file's name, with top-level fields changed."""
    event = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(event, dict)
    return {**event, **changes}
