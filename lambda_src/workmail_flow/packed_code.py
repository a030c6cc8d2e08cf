"""What a function's packed code is made of: what the constructs pack, a deployment carries and a local run unpacks."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

RUNTIME_PACKAGES: Final = ("workmail_flow", "workmail_runtime")
"""Our packages, packed beside the handler's own files."""

REQUIREMENTS: Final = "requirements.txt"
"""The file of a handler's folder that names the packages to pack with it."""

RECORD_FOLDER: Final = ".workmail"
"""The folder of packed code that says how it was packed."""

RECORDED_REQUIREMENTS: Final = f"{RECORD_FOLDER}/{REQUIREMENTS}"
"""What was packed with the handler, so that it can be resolved again for another machine."""

RECORDED_BUILD: Final = f"{RECORD_FOLDER}/build.json"
"""The `platform` and `python` that it was resolved for."""

MESSAGE_BUCKET_VARIABLE: Final = "WORKMAIL_MESSAGE_BUCKET"
"""The environment variable that names the bucket WorkMail reads updated messages from (C5)."""


def find_uv() -> str | None:
    """Return the uv command that resolves requirements: the one beside the running Python, or the one on PATH."""
    import shutil
    import sys
    from pathlib import Path

    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")
