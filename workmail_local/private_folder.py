"""A folder whose content only its owner may read, whatever the umask is and whatever stood there before."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, or close an existing one to everybody else.

    Raises:
        OSError: It cannot be made, is a symbolic link, or belongs to another user.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_own(folder)
    folder.chmod(0o700)


def require_own(path: Path) -> None:
    """Refuse what another user may have put there.

    Raises:
        OSError: It does not exist, is a symbolic link, or belongs to another user.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "it is a symbolic link", str(path))
    _require_own(found, str(path))


def narrow(folder: Path) -> None:
    """Take every right of others from what is in a folder.

    Raises:
        OSError: Something in it belongs to another user.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a mail reader may move files meanwhile
                _narrow_entry(folder / entry.name, entry.stat(follow_symlinks=False))


def _narrow_entry(path: Path, found: os.stat_result) -> None:
    _require_own(found, str(path))
    is_folder = stat.S_ISDIR(found.st_mode)
    # A file that has another name elsewhere is not ours alone: uv links files of its cache.
    if found.st_mode & _OTHERS and (is_folder or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)):
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    if is_folder:
        narrow(path)


def _require_own(found: os.stat_result, path: str) -> None:
    if found.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", path)
