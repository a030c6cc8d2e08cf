"""What the tests of the constructs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the smallest handler's folder."""
    folder = tmp_path / "handler"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    return folder
