"""Messages made to cost time and memory stay far below what a function has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench._worst_messages import WORST

ROOT = Path(__file__).resolve().parents[3]
# The kernel ends the process at 256 MiB of data, as Lambda does, and at 8 seconds of CPU; 15 are there (T1).
_RUN = """
import resource, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/lambda_src"]
from bench._worst_messages import worst_message
from workmail_runtime.edit import EditRefusedError, MessageEditor, check_message

raw = worst_message(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (256 * 1024**2, 256 * 1024**2))
resource.setrlimit(resource.RLIMIT_CPU, (8, 8))
editor = MessageEditor(raw, invocation_id="0123")
try:
    editor.prefix_subject("[EXT]")
    editor.add_banner("Vorsicht: von außen")
    editor.add_footer("Ende")
    assert sum(map(len, editor.chunks())) > len(raw)
    assert editor.problem is None or "attached messages" in str(editor.problem)
except EditRefusedError as refused:
    assert editor.problem is refused
    print(refused.reason)
len(editor.attachments), check_message(raw)
"""
REFUSED = {
    "a flood of header fields": "HEADER_TOO_LARGE",
    "a flood of continuation lines": "HEADER_TOO_LARGE",
    "a flood of lines that are no header": "MALFORMED_HEADERS",
    "nested dashes": "MALFORMED_MULTIPART",
    "40 multiparts around blank lines": "TOO_DEEP",
    "parts without end": "TOO_MANY_PARTS",
}


@pytest.mark.fact("T1")
@pytest.mark.parametrize("name", WORST)
def test_a_worst_message_is_edited_or_refused_in_time_and_memory(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(ROOT), name], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, REFUSED.get(name, ""), "")
