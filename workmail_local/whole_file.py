"""Files that exist whole or not at all, even if this process is killed while it writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_UNFINISHED: Final = ".unfinished"


def write_whole_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read. A reader gets the former content or all of the new one.

    It survives a kill of this process, but perhaps not a power failure: it does not wait for the disk (no `fsync`).

    Raises:
        OSError: It could not be written; the former content is still there, and no other file is left.
    """
    unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError:  # what is left of it would keep a full disk full
        unfinished.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left of files in this folder. Nobody may be writing there."""
    for path in folder.glob(f".*{_UNFINISHED}"):
        path.unlink(missing_ok=True)
