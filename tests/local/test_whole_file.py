from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_and_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_whole_file(path, b"former")
    write_whole_file(path, b"content")
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_former_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole_file(path, b"content")
    assert list(tmp_path.iterdir()) == [path]
