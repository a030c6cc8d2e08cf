"""`make demo`: deploy this example to a local WorkMail, send three real messages through it, and look at them."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MESSAGES = ("plain.eml", "attachment.eml", "non_ascii_subject.eml")


def run(*arguments: str, state: str) -> None:
    """Show one `workmail-flow local` command and run it; if it fails, end the demo with its exit status."""
    shown = shlex.join(["workmail-flow", "local", *arguments])
    print(f"\n$ {shown}", flush=True)
    command = [str(Path(sys.executable).with_name("workmail-flow")), "local", *arguments, "--state", state]
    done = subprocess.run(command, cwd=HERE, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Start a local WorkMail in a new folder, deploy, send, at a terminal wait for Enter, and always stop it."""
    with tempfile.TemporaryDirectory(prefix="workmail-demo-") as state:
        try:
            run("up", "--detach", state=state)
            run("deploy", state=state)
            for message in MESSAGES:
                run("send", f"messages/{message}", state=state)
            if sys.stdin.isatty():
                run("status", state=state)
                input("\nOpen the address of the page in a browser to look at it all. Enter ends the demo. ")
        finally:
            run("down", state=state)


if __name__ == "__main__":
    main()
