"""`workmail-flow`: flow rules, handlers and the local WorkMail at the terminal."""

from __future__ import annotations

import sys

_EXTRA_MISSING = (
    "workmail-flow needs packages that a plain install leaves out (no module named {name!r}). "
    "For rules only: pip install 'workmail-constructs[cli]'; "
    "with the local WorkMail: pip install 'workmail-constructs[local]'"
)


def main() -> None:
    """Run the command line; if an extra is missing, say how to install it."""
    try:
        from workmail_constructs.cli.app import app
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in {"typer", "rich", "yaml"}:
            raise
        sys.exit(_EXTRA_MISSING.format(name=missing.name))
    app(prog_name="workmail-flow")
