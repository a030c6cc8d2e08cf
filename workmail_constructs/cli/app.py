"""The command tree. Each group has its own module and imports what is heavy inside its commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from workmail_constructs.cli import deploy, local, observed, redrive, rules, try_
from workmail_constructs.cli.terminal import echo

app = typer.Typer(
    name="workmail-flow",
    help="Email flow rules of Amazon WorkMail as code: check them, try handlers, run a local WorkMail, send failed "
    "events again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
observed.register(rules.app)
app.add_typer(rules.app, name="rules")
deploy.register(local.app)
app.add_typer(local.app, name="local")
try_.register(app)
redrive.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        echo(version("workmail-constructs"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Accept the options in front of a command."""
