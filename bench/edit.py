"""A subject prefix and a banner on a 25 MB message: splicing beside the standard library's parse and re-serialise.

Then the messages that cost most, beside what WorkMail waits for a function (T1) and what a small function has.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench._measure import Measure
from bench._usual_message import usual_message
from bench._worst_messages import WORST, worst_message
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS

SIZE = 25_000_000
ROUNDS = 3

# Each way runs in a process of its own, which prints its CPU time in ms and its peak memory above imports in MiB,
# the message itself included; reading the file straight into its buffer, as a download would.
_RUN = """
import json, resource, sys, time
{imports}

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

def now():
    return time.process_time() * 1000

{warm_up}
before = peak()
with open(sys.argv[1], "rb", buffering=0) as file:
    raw = file.read()
start = now()
{edit}
print(json.dumps({{"cpu": now() - start, "memory": peak() - before, "written": written}}))
"""

_OURS = {
    "imports": "from workmail_runtime.edit import MessageEditor",
    "warm_up": "MessageEditor(b'From: a\\r\\n\\r\\nx').add_banner('x')",
    "edit": """
editor = MessageEditor(raw)
editor.prefix_subject("[EXT]")
editor.add_banner("Vorsicht: von außen")
written = 0
for chunk in editor.chunks():
    written += len(chunk)
""",
}
_THEIRS = {
    "imports": "import email, email.policy",
    "warm_up": "email.message_from_bytes(b'From: a\\r\\n\\r\\nx', policy=email.policy.default).as_bytes()",
    "edit": """
message = email.message_from_bytes(raw, policy=email.policy.default)
subject = message["Subject"]
del message["Subject"]
message["Subject"] = "[EXT] " + subject
body = message.get_body(("plain",))
body.set_content("Vorsicht: von außen\\n\\n" + body.get_content())
written = len(message.as_bytes())
""",
}
_UNCHANGED = {
    **_OURS,
    "edit": """
editor = MessageEditor(raw)
editor.prefix_subject("Re:")
written = 0 if editor.to_bytes() is raw else len(raw)
""",
}
_WORST = {
    **_OURS,
    "imports": "from workmail_runtime.edit import EditRefusedError, MessageEditor",
    "edit": """
editor = MessageEditor(raw)
written = 0
try:
    editor.prefix_subject("[EXT]")
    editor.add_banner("Vorsicht: von außen")
    editor.add_footer("Ende")
    for chunk in editor.chunks():
        written += len(chunk)
except EditRefusedError:
    pass
len(editor.attachments)
editor.problem
""",
}


def run() -> list[Measure]:
    """CPU and peak memory of an edit, of a call that finds nothing to do, and of the worst messages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message.eml"
        path.write_bytes(usual_message(SIZE))
        ours, theirs, unchanged = (_measure(path, way) for way in (_OURS, _THEIRS, _UNCHANGED))
    megabytes = SIZE / 1024**2
    assert unchanged["written"] == 0
    note = "the standard library: message_from_bytes, set_content, as_bytes"
    return [
        Measure("edit 25 MB, CPU", ours["cpu"], theirs["cpu"], "ms CPU", 0.05, note),
        Measure(
            "edit 25 MB, peak memory above imports", ours["memory"], megabytes, "MiB", 1.1, "the message's own size"
        ),
        Measure("edit 25 MB, peak memory above imports", ours["memory"], theirs["memory"], "MiB", None, note),
        Measure("nothing to edit in 25 MB, CPU", unchanged["cpu"], theirs["cpu"], "ms CPU", None, note),
        *_worst(),
    ]


def _worst() -> list[Measure]:
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message.eml"
        for name in WORST:
            path.write_bytes(worst_message(name))
            ours = _measure(path, _WORST)
            done = "edited" if ours["written"] else "refused"
            limit = 1000 * SYNCHRONOUS_LIMIT_SECONDS
            measures += [
                Measure(f"{name}: {done}, CPU", ours["cpu"], limit, "ms CPU", 0.2, "what WorkMail waits (T1)"),
                Measure(f"{name}: {done}, memory", ours["memory"], 256, "MiB", 0.5, "a function of 256 MB"),
            ]
    return measures


def _measure(path: Path, way: dict[str, str]) -> dict[str, float]:
    """The best of some rounds, each in a fresh process."""
    script = _RUN.format(**way)
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True)
        rounds.append(json.loads(done.stdout))
    return min(rounds, key=lambda measured: measured["cpu"])
