"""A package of this environment as a wheel, so that packing it needs no network."""

from __future__ import annotations

import zipfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def offer_installed(name: str, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uv find an installed pure Python package in a folder, and nothing else anywhere."""
    package = distribution(name)
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheels / f"{name}-{package.version}-py3-none-any.whl", "w") as archive:
        for file in package.files or ():
            if "__pycache__" not in file.parts and not file.as_posix().startswith(".."):
                archive.write(str(file.locate()), file.as_posix())
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
