from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from workmail_local.whole_file import remove_unfinished, write_whole_file

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


def test_what_a_full_disk_did_not_take_does_not_keep_it_full(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # stands in for a disk that is full after 100 bytes
    try:
        with pytest.raises(OSError, match="File too large"):
            write_whole_file(tmp_path / "content.eml", b"x" * 101)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    write_whole_file(tmp_path / "kept.json", b"content")
    (tmp_path / ".killed.json.unfinished").write_bytes(b"cont")
    remove_unfinished(tmp_path)
    remove_unfinished(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
