"""`make demo`: by itself without a terminal; with one, it waits for Enter beside the page."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("demo")

DEMO = Path(__file__).parents[2] / "examples" / "hello_world" / "demo.py"


def test_without_a_terminal_it_ends_by_itself() -> None:
    done = subprocess.run([sys.executable, DEMO], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert done.stdout.count("$ workmail-flow local send") == 3
    assert "Enter" not in done.stdout


def test_at_a_terminal_it_leaves_the_page_open_until_enter() -> None:
    ours, its = pty.openpty()
    demo = subprocess.Popen([sys.executable, DEMO], stdin=its, stdout=its, stderr=subprocess.STDOUT)
    os.close(its)
    try:
        said = _read_until(ours, "Enter ends the demo.")
        (page,) = set(re.findall(r"page +(http://127\.0\.0\.1:\d+/)", said))
        with urllib.request.urlopen(page) as answer:  # noqa: S310 - our own page
            assert answer.headers["Content-Type"].startswith("text/html")
        os.write(ours, b"\n")
        assert "Stopped process" in _read_until(ours, "stay in")
        assert demo.wait(60) == 0
    finally:
        demo.kill()
        demo.wait()
        os.close(ours)


def _read_until(terminal: int, text: str) -> str:
    said, end = "", time.monotonic() + 240
    while text not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            said += os.read(terminal, 65536).decode(errors="replace")
    assert text in said, said
    return said
