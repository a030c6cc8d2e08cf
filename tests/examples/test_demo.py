"""`make demo`: by itself without a terminal; with one, it waits for Enter beside the page."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.xdist_group("examples")

DEMO = Path(__file__).parents[2] / "examples" / "hello_world" / "demo.py"


@pytest.mark.fact("L4", "R1", "R4", "C1")
def test_without_a_terminal_it_ends_by_itself() -> None:
    """The example decides for each recipient of its three messages."""
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, DEMO], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, env=wide
    )
    _, *sent = done.stdout.split("$ workmail-flow local send messages/")
    rows = [re.findall(r"│ (\S+@\S+) +│ HelloWorld │ (\w+) +│ .*│ (.*?) +│", each) for each in sent]
    assert dict(zip((each.split()[0] for each in sent), rows, strict=True)) == {
        "plain.eml": [
            ("alice@example.com", "DEFAULT", "inbox"),
            ("bob@example.com", "DEFAULT", "inbox"),
            ("no-reply@example.com", "DROP", "nowhere"),
        ],
        "attachment.eml": [
            ("alice@example.com", "BOUNCE", "notification: outbound spool"),
            ("bob@example.com", "BOUNCE", "notification: outbound spool"),
        ],
        "non_ascii_subject.eml": [("alice@example.com", "MOVE_TO_JUNK", "junk")],
    }
    assert "Enter" not in done.stdout
    assert "Stopped process" in done.stdout


@pytest.mark.parametrize("is_terminal", [True, False])
def test_at_a_terminal_it_leaves_the_page_open_until_enter(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    demo: Any = _loaded()
    done: list[str] = []
    monkeypatch.setattr(demo, "run", lambda command, *_, state: done.append(command))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr("builtins.input", lambda said: done.append(f"asked: {said.strip()}"))
    demo.main()
    commands = ["up", "deploy", "send", "send", "send"]
    if is_terminal:  # `status` prints the address of the page
        commands += [
            "status",
            "asked: Open the address of the page in a browser to look at it all. Enter ends the demo.",
        ]
    assert done == [*commands, "down"]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
