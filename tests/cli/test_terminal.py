"""Whatever mail, logs, replies and files say, nothing that steers a terminal reaches it."""

from __future__ import annotations

import ast
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from workmail_constructs.cli import local_view, terminal
from workmail_constructs.cli.app import app
from workmail_constructs.cli.terminal import echo, echo_json, printable

CLI = Path(terminal.__file__).parent
STEERING = "\x1b]0;owned\x07\x1b[2J\r\b\x7f\x9b31m\u202eabc\u2066\u200b\ufeff\u2028\u2029\u0085[red]x[/red]"
UNSAFE = {"Cc", "Cs", "Zl", "Zp"}


def unsafe_in(text: str) -> set[str]:
    """Return the characters that may not be in output, judged by Unicode's own tables."""
    return {
        character
        for character in set(text) - {"\n", "\t"}
        if unicodedata.category(character) in UNSAFE
        or unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        or character in "\u200b\u200c\u200d\u2060\ufeff"
    }


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_steers_the_terminal(text: str) -> None:
    assert unsafe_in(printable(text)) == set()


@given(st.text(st.characters(categories=("L", "N", "P", "S", "M", "Zs"), exclude_characters="\u180e")))
def test_text_that_people_read_stays(text: str) -> None:
    assert printable(text + "\n\t") == text + "\n\t"


def test_what_is_escaped_can_be_recognized() -> None:
    assert printable("a\x1b[2J\u202eb\U000e0041\ud800") == r"a\x1b[2J\u202eb\U000e0041\ud800"


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_json_is_ascii_and_keeps_the_text(text: str) -> None:
    shown = capture(lambda: echo_json({"text": text}))
    assert shown.isascii()
    assert unsafe_in(shown) == set()
    assert json.loads(shown) == {"text": text}


def capture(show: Any) -> str:
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        show()
        return (out.getvalue() + err.getvalue()).decode()


MESSAGE: dict[str, Any] = {
    "id": STEERING,
    "state": STEERING,
    "failure": STEERING,
    "file": STEERING,
    "receivedAt": "2026-01-01T00:00:00" + STEERING,
    "direction": STEERING,
    "source": STEERING,
    "size": 1,
    "mailFrom": STEERING,
    "subject": STEERING,
    "recipients": [
        {"recipient": STEERING, "rule": STEERING, "action": STEERING, "why": STEERING, "added": True, "place": STEERING}
    ]
    * 8,
    "flows": [
        {
            "rule": {"name": STEERING},
            "heldBecause": STEERING,
            "event": {STEERING: STEERING},
            "why": {STEERING: {"reason": STEERING, "lost": [{"rule": STEERING, "reason": STEERING}]}},
            "attempts": [
                {
                    "number": 1,
                    "endedAt": STEERING,
                    "outcome": STEERING,
                    "errorType": STEERING,
                    "error": STEERING,
                    "fault": STEERING,
                    "durationS": 1.0,
                    "findings": [STEERING],
                    "steps": [{"step": STEERING, "result": STEERING, "notes": [STEERING], "ms": 1}],
                    "reply": {STEERING: STEERING},
                    "log": STEERING,
                }
            ],
            "failureRecord": {"destination": STEERING, "prevented": STEERING},
        }
    ],
}


@pytest.mark.parametrize(
    "show",
    [
        lambda: echo(STEERING),
        lambda: echo(STEERING, err=True),
        lambda: [echo(line) for line in local_view.failed_attempts(MESSAGE)],
        lambda: local_view.print_outcome(MESSAGE, [STEERING]),
        lambda: local_view.print_detail(MESSAGE, [STEERING]),
        lambda: local_view.print_rich(local_view.message_table([MESSAGE])),
    ],
    ids=["echo", "error", "failures", "outcome", "detail", "table"],
)
def test_no_view_steers_the_terminal(show: Any) -> None:
    shown = capture(show)
    assert unsafe_in(shown) == set()
    assert "[red]x[/red]" in shown or "…" in shown  # no markup is read


def test_a_rule_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    rule = {"name": STEERING, "direction": STEERING, "action": "DROP", "senders": [STEERING], STEERING: 1}
    file.write_text(json.dumps({"rules": [rule]}))
    for command in (["lint"], ["explain"], ["runbook"], ["lint", "--json"]):
        shown = CliRunner().invoke(app, ["rules", *command, str(file)])
        assert unsafe_in(shown.stdout + shown.stderr) == set(), command


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.name)
def test_nothing_else_writes_to_the_terminal(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    raw = {"print", "typer.echo", "typer.secho", "sys.stdout.write", "sys.stderr.write", "typer.BadParameter", "Text"}
    allowed = {
        "terminal.py": {"typer.echo", "typer.secho", "typer.BadParameter"},
        "local_view.py": {"Text"},
        "redrive.py": {"Text"},
    }
    assert raw & set(called) <= allowed.get(path.name, set())
    assert all(called.count(name) == 1 for name in raw & set(called))
