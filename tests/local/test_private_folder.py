"""What only its owner may read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from workmail_local.private_folder import make_private_folder, narrow, require_own

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_private_and_an_existing_one_closed(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "new" / "folder")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    make_private_folder(tmp_path / "open")
    assert (mode(tmp_path / "new" / "folder"), mode(tmp_path / "open")) == (0o700, 0o700)


def test_what_is_in_it_is_narrowed_but_for_files_that_others_share(tmp_path: Path) -> None:
    state, outside = tmp_path / "state", tmp_path / "outside"
    (state / "folder").mkdir(parents=True)
    (state / "folder").chmod(0o755)
    for path, given in (
        (state / "folder" / "file", 0o644),
        (state / "folder" / "run", 0o755),
        (outside, 0o644),
    ):
        path.touch()
        path.chmod(given)
    os.link(outside, state / "shared")
    (state / "link").symlink_to(outside)
    narrow(state)
    assert mode(state / "folder") == 0o700
    assert (mode(state / "folder" / "file"), mode(state / "folder" / "run")) == (0o600, 0o700)
    assert mode(outside) == 0o644


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="it is a symbolic link"):
        make_private_folder(tmp_path / "link")


def test_another_users_folder_is_refused_and_another_users_file_in_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted").touch()
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="it belongs to another user"):
        require_own(tmp_path)
    with pytest.raises(PermissionError, match=r"it belongs to another user.*planted"):
        narrow(tmp_path)
