"""Folders that are made once and then shared by all processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workmail_local.private_folder import narrow

if TYPE_CHECKING:
    from collections.abc import Callable


def made_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return the folder, filled by `fill` if it does not exist.

    It appears complete or not at all, and only its owner may read it. If two processes make it at the same time, the
    first one's stays.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        fill(making)
        narrow(making)
        os.rename(making, folder)
    except BaseException as error:
        shutil.rmtree(making)
        if not (isinstance(error, OSError) and folder.is_dir()):
            raise
    return folder
