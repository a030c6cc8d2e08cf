"""The only way to the terminal, also at a command's end: text of mail, logs, replies and files never reaches it raw."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

import typer

INTERRUPTED: Final = 130
"""The exit status of a command that Ctrl-C ended, as shells have it."""

# Control characters but tab and line feed, zero-width characters, line separators, what changes the direction of text
# (UAX #9), and tags and surrogates, which no terminal shows.
_UNSAFE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: object) -> str:
    r"""Return text in which each character that could steer a terminal or mislead a reader is escaped, as in `\x1b`.

    Tabs and line feeds stay.
    """
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), str(text))


def echo(text: object, *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print text, without what could steer the terminal; `style` is that of `typer.style`."""
    typer.secho(printable(text), err=err, nl=nl, **style)


def echo_json(value: object, *, indent: int | None = 2) -> None:
    """Print JSON in ASCII; on one line without an indent."""
    typer.echo(json.dumps(value, indent=indent).replace("\x7f", "\\u007f"))


def fail(message: str, *, status: int = 1) -> NoReturn:
    """End the command with a message on standard error."""
    echo(message, err=True)
    raise typer.Exit(status)


def wrong(message: str) -> typer.BadParameter:
    """Return the error of a wrong command, status 2."""
    return typer.BadParameter(printable(message))
