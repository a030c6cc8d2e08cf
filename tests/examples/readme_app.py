"""The README's own stack, handler and test in a folder, as a user copies them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
STACK, HANDLER, TEST, STEPS, WATCHING = BLOCKS
"""The README's three Python files, and what goes into the first of them: the statement with steps, and what watches."""


def write_readme_app(folder: Path) -> None:
    """Write the README's three Python files, and a message."""
    (folder / "app.py").write_text(STACK, encoding="utf-8")
    (folder / "test_mail.py").write_text(TEST, encoding="utf-8")
    rule = folder / "rules" / "disclaimer"
    rule.mkdir(parents=True)
    (rule / "app.py").write_text(HANDLER, encoding="utf-8")
    (rule / "message.eml").write_bytes(
        b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: Hello\r\n"
        b"Date: Sat, 21 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nHello Bob\r\n"
    )


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment of a user's shell, with the folder's own cloud assembly."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "CDK_OUTDIR": str(folder / "cdk.out")}


def run_pytest(python: str | Path, folder: Path, *options: str) -> str:
    """Run the README's test as its user does, and return what pytest says."""
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options],
        cwd=folder,
        env=environment_of(folder),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout
