"""Files that are there whole or not at all, whoever reads them and whenever this process ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_whole_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads; whoever opens it meanwhile gets the former content or all of this.

    Raises:
        OSError: It could not be written; the former content is still there, and nothing else.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError:  # what is left of it would keep a full disk full
        unfinished.unlink(missing_ok=True)
        raise
