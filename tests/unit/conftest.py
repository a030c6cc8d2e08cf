"""What the tests of the runtime and of the steps share."""

from __future__ import annotations

import pytest

import workmail_runtime.metrics


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> str:
    """Run as the first invocation of a function's process; return the function's name."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "rule-function")
    monkeypatch.setattr(workmail_runtime.metrics, "_has_begun", False)
    return "rule-function"
