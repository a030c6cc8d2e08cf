"""Every `workmail-flow` command that a page shows is there, with the options it is shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from workmail_constructs.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md")])
GROUP = typer.main.get_command(app)


def shown(page: Path) -> list[str]:
    """Return the commands of a page's code blocks, each on one line."""
    blocks = re.findall(
        r"^ *```(?:console|sh|)\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    found = (re.match(r" *(?:\$ )?(workmail-flow .*)", line) for line in lines)
    return [each[1] for each in found if each]


def problem(line: str) -> str | None:
    """Return what is wrong with a command line; its files and names need not exist."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = GROUP
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in command.commands:
            return f"{command.name} has no command {name}"
        command = command.commands[name]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    unknown = sorted(set(given) - options - {"--help"})
    return f"{command.name} has no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page(page: Path) -> None:
    assert [(line, wrong) for line in shown(page) if (wrong := problem(line))] == []


def test_commands_are_found_and_judged() -> None:
    assert sum(len(shown(page)) for page in PAGES) > 20
    assert problem("workmail-flow rules observed --log-group G --since 7d cdk.out  # a remark") is None
    assert problem("workmail-flow rules observe") == "rules has no command observe"
    assert problem("workmail-flow redrive Mail --dry") == "redrive has no option --dry"
