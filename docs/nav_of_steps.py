"""A hook of mkdocs: the navigation lists every page of docs/steps, so that a step's page needs no entry of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Put the pages behind the overview, in the order of their names."""
    pages = sorted(page.name for page in (Path(config.docs_dir) / "steps").glob("*.md") if page.name != "index.md")
    steps: list[str] = next(entry["Steps"] for entry in config.nav if "Steps" in entry)
    steps += (f"steps/{name}" for name in pages if f"steps/{name}" not in steps)
    return config
