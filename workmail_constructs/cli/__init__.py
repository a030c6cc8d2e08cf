"""`workmail-flow`: flow rules, handlers and the local WorkMail at the terminal."""

from __future__ import annotations

import sys

_INSTALL = {
    "cli": "pip install 'workmail-constructs[cli]', or with the local WorkMail 'workmail-constructs[local]'",
    "local": "pip install 'workmail-constructs[local]'",
}
_EXTRA_OF = {
    **dict.fromkeys(("typer", "rich", "yaml"), "cli"),
    **dict.fromkeys(("aiohttp", "aiosmtpd", "awslambdaric", "moto", "uv", "werkzeug"), "local"),
}


def main() -> None:
    """Run the command line; if an extra is missing, say how to install it."""
    try:
        from workmail_constructs.cli.app import app

        app(prog_name="workmail-flow")
    except ModuleNotFoundError as missing:
        extra = _EXTRA_OF.get((missing.name or "").partition(".")[0])
        if extra is None:
            raise
        needs = f"this command needs packages that a smaller install leaves out (no module named {missing.name!r})"
        sys.exit(f"{needs}: {_INSTALL[extra]}")
