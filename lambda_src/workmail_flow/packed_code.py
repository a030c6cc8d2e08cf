"""What a function's packed code is made of: what the constructs pack, a deployment carries and a local run unpacks."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

RUNTIME_PACKAGES: Final = ("workmail_flow", "workmail_runtime")
"""Our packages, packed beside the handler's own files."""

STEPS_PACKAGE: Final = "workmail_rules"
"""Our package of steps. Of it, what a rule's steps need is packed."""

RECORD_FOLDER: Final = ".workmail"
"""The folder of packed code that says how it was packed. The function reads nothing in it."""

RECORDED_REQUIREMENTS: Final = f"{RECORD_FOLDER}/requirements.txt"
"""The packages packed with the handler, so that they can be resolved again for another machine."""

RECORDED_BUILD: Final = f"{RECORD_FOLDER}/build.json"
"""The `platform` and `python` that they were resolved for."""

SOURCES_VARIABLE: Final = "WORKMAIL_SOURCES_FILE"
"""The environment variable that names a file to which each packing adds a line of JSON: what was packed of which
folders. `workmail-flow local deploy --watch` sets it for the app that it deploys."""


def find_uv() -> str | None:
    """Return the uv command that resolves requirements: the one beside the running Python, or the one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")
