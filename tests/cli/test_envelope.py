"""`workmail-flow try` and `workmail-flow local send` read the same envelope from the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.local.mail.envelope_files import FILES
from workmail_constructs.cli.app import app

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

REPLIES = Path(__file__).parents[1] / "local" / "handlers" / "replies"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, (head, _, _) in FILES.items():
        (tmp_path / name).write_bytes(head + b"\r\nhi\r\n")
    return [str(tmp_path / name) for name in FILES]


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def people(event: dict[str, Any]) -> tuple[object, object]:
    return event["envelope"], event.get("sender")


@pytest.mark.parametrize(
    ("options", "senders"),
    [([], [sender for _, sender, _ in FILES.values()]), (["--mail-from", "<>"], [""] * len(FILES))],
    ids=["by the file", "null reverse-path"],
)
def test_both_commands_take_the_same_envelope_from_a_file(
    workmail_local: WorkMailLocal, files: list[str], options: list[str], senders: list[str]
) -> None:
    workmail_local.deploy_handler(REPLIES, domains=("b.test",))
    messages = [argument for file in files for argument in ("--message", file)]
    tried = run("try", str(REPLIES), "--handler", "app.handler", *messages, *options)
    sent = run("local", "send", *files, *options, "--state", str(workmail_local.state))
    shown = [run("local", "show", one["id"], "--state", str(workmail_local.state)) for one in sent]
    assert [people(one["event"]) for one in tried] == [people(one["flows"][0]["event"]) for one in shown]
    assert [one["mailFrom"] for one in shown] == senders
    assert [tuple(to["recipient"] for to in one["recipients"]) for one in shown] == [to for _, _, to in FILES.values()]
