"""Cold starts to measure: a process with the bare Lambda runtime client, then a handler's import and its first event.

Byte code is either all there or, with `from_source`, none of it on any side: a mix would show where `.pyc` files lie.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workmail_flow.packed_code import RUNTIME_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent

EVENT = {
    "summaryVersion": "2019-07-28",
    "envelope": {
        "mailFrom": {"address": "from@domain.example"},
        "recipients": [{"address": "recipient1@corp.example"}, {"address": "recipient2@corp.example"}],
    },
    "sender": {"address": "sender@domain.example"},
    "subject": "Hello From Amazon WorkMail!",
    "messageId": "00000000-0000-0000-0000-000000000000",
    "invocationId": "00000000000000000000000000000000",
    "flowDirection": "INBOUND",
    "truncated": False,
}

# As the runtime client does it: it is there, the task's folder comes first, the event is decoded.
_START = """
import awslambdaric.bootstrap, importlib, json, sys
sys.path.insert(0, sys.argv[1])
event = json.loads(sys.argv[2])
if sys.argv[3] != "-":
    module = importlib.import_module(sys.argv[3])
    if sys.argv[4] == "call":
        module.handler(event, None)
"""


class ColdStarts:
    """Runs handlers, each given as its source, in processes of their own.

    Args:
        folder: Where the handlers and the runtime packages are laid, as in a function's deployed package.
        handlers: Source by module name; each defines `handler`.
        environment: Variables of the function, beside a Region and dummy credentials.
        from_source: Whether nothing may be read from byte code.
    """

    def __init__(
        self, folder: Path, handlers: Mapping[str, str], environment: Mapping[str, str], *, from_source: bool
    ) -> None:
        self._task = folder / "task"
        for package in RUNTIME_PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "lambda_src" / package, self._task / package, ignore=ignored)
        for name, source in handlers.items():
            (self._task / f"{name}.py").write_text(source, encoding="utf-8")
        self._environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "PYTHONHASHSEED": "0",
            # A folder of our own, so that it does not matter which installed packages happen to be compiled.
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            **({"PYTHONDONTWRITEBYTECODE": "1"} if from_source else {}),
            **environment,
        }

    def _command(self, module: str, *, call: bool) -> list[str]:
        action = "call" if call else "import"
        return [sys.executable, "-c", _START, str(self._task), json.dumps(EVENT), module, action]

    def run(self, module: str, *, call: bool = True) -> None:
        """Run once, uncounted; writes the byte code that later runs read."""
        subprocess.run(self._command(module, call=call), env=self._environment, check=True)

    def instructions(self, module: str, *, call: bool = True) -> float:
        """Count the process's instructions with cachegrind, in millions; "-" is the bare runtime client."""
        self.run(module, call=call)
        cachegrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        done = subprocess.run(
            [*cachegrind, *self._command(module, call=call)],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        )
        found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
        assert found, done.stderr
        return int(found[1].replace(",", "")) / 1e6

    def cpu_ms(self, module: str, *, call: bool = True, runs: int = 7) -> float:
        """Take the least CPU time of some runs, in milliseconds: noise only ever adds."""
        self.run(module, call=call)
        times = []
        for _ in range(runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.run(module, call=call)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times) * 1000


@contextmanager
def cold_starts(
    handlers: Mapping[str, str], environment: Mapping[str, str] | None = None, *, from_source: bool = False
) -> Iterator[ColdStarts]:
    """Lay the handlers into a temporary folder for as long as they are measured."""
    with tempfile.TemporaryDirectory() as folder:
        yield ColdStarts(Path(folder), handlers, environment or {}, from_source=from_source)
