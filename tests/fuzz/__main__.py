"""`python -m tests.fuzz MINUTES [PYTEST ARGUMENTS]`: new random inputs in every round until the time is over."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

_EXAMPLES = re.compile(r"(\d+) passing,")
_TEST = re.compile(r"^(tests/fuzz/\S+):$", re.MULTILINE)


def main() -> int:
    """Run whole rounds and print how many inputs each test has seen; stop at the first failure."""
    minutes, *arguments = sys.argv[1:] or ["10"]
    end = time.monotonic() + 60 * float(minutes)
    counts: dict[str, int] = {}
    rounds, failed = 0, 0
    while not failed and (not rounds or time.monotonic() < end):
        rounds += 1
        command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-show-statistics", "--timeout=0"]
        done = subprocess.run(
            [*command, *(arguments or [str(Path(__file__).parent)])],
            env={**os.environ, "HYPOTHESIS_PROFILE": "fuzz"},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        failed = done.returncode
        pieces = _TEST.split(done.stdout)
        for name, statistics in zip(pieces[1::2], pieces[2::2], strict=True):
            counts[name] = counts.get(name, 0) + sum(map(int, _EXAMPLES.findall(statistics)))
        print(done.stdout if failed else f"round {rounds}: {sum(counts.values()):,} inputs so far", flush=True)
    for name, count in counts.items():
        print(f"{count:>10,}  {name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
