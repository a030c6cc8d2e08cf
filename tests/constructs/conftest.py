"""Turns off CDK's template validation, which costs several times the synth; tests about validity turn it on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Read by the Node.js process that the first import of aws_cdk starts.
os.environ["CDK_VALIDATION"] = "false"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the smallest handler's folder."""
    folder = tmp_path / "handler"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    return folder
