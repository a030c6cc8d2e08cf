"""Hints at what a handler's author probably did, from real failures of real handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workmail_local.failure_hint import failure_hint

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

MAIL = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nhi\r\n"


@pytest.mark.parametrize(
    ("handler", "synchronous", "hint"),
    [
        (
            "def handler(event):\n    return {'actions': []}\n",
            True,
            "handler takes one argument: decorate it with @synch",
        ),
        (
            "def handler(event):\n    return None\n",
            False,
            "takes one argument: decorate it with @asynchronous of workm",
        ),
        (
            "import a_package.part\ndef handler(event, context): ...\n",
            True,
            "has no module a_package: name its package",
        ),
        (
            "from workmail_runtime import asynchronous\n@asynchronous\ndef handler(event): ...\n",
            True,
            "if the handler is decorated with @asynchronous, use @synchronous, or run the rule asynchronously (R10)",
        ),
    ],
)
def test_what_was_probably_done(
    workmail_local: WorkMailLocal, tmp_path: Path, handler: str, synchronous: bool, hint: str
) -> None:
    (tmp_path / "app.py").write_text(handler)
    workmail_local.deploy_handler(tmp_path, synchronous=synchronous)
    sent = workmail_local.send(MAIL)
    (first, *_) = sent.attempts
    assert [hint in finding for finding in first["findings"]].count(True) == 1, first


@pytest.mark.parametrize(
    ("error_type", "error", "reply", "synchronous"),
    [
        (None, None, b"null", False),
        (None, None, b'{"actions": []}', True),
        ("TypeError", "unsupported operand type(s)", None, True),
        ("TypeError", "handler() missing 1 required positional argument: 'extra'", None, True),
        ("Runtime.ImportModuleError", "Unable to import module 'app': cannot import name 'x'", None, True),
        ("ValueError", "No module named 'x'", None, True),
        (None, None, None, True),
    ],
)
def test_other_failures_have_none(
    error_type: str | None, error: str | None, reply: bytes | None, synchronous: bool
) -> None:
    assert failure_hint(error_type=error_type, error=error, reply=reply, synchronous=synchronous) is None
