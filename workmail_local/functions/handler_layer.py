"""The layer that stands beside a handler folder: our runtime packages and what its `requirements.txt` names."""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
import zipfile
from pathlib import Path

from workmail_local.functions.interpreters import find_interpreter, running_interpreter
from workmail_local.functions.unpacked_code import install_requirements

_RUNTIME_PACKAGES = ("workmail_flow", "workmail_runtime")


def handler_layer(folder: Path, *, python_version: tuple[int, int], work: Path) -> Path:
    """Return a layer's zip for a handler folder; made once for the same packages and requirements. Blocks.

    Args:
        folder: May hold a `requirements.txt`, resolved for this machine.
        python_version: Of the function's runtime.
        work: Folder that layers are kept in.

    Raises:
        CodeError: The requirements cannot be resolved.
    """
    requirements = folder / "requirements.txt"
    sources = [path for package in _RUNTIME_PACKAGES for path in _sources(package)]
    interpreter = find_interpreter(python_version) or running_interpreter()
    digest = hashlib.sha256(interpreter.cache_tag.encode())
    for path, _ in sources:
        digest.update(path.read_bytes())
    if requirements.is_file():
        digest.update(requirements.read_bytes())
    layer = work / "layers" / f"{digest.hexdigest()[:32]}.zip"
    if layer.exists():
        return layer
    layer.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layer.parent) as making:
        installed = Path(making) / "installed"
        if requirements.is_file():
            install_requirements(requirements, interpreter=interpreter, target=installed)
            sources += [(path, str(path.relative_to(installed))) for path in installed.rglob("*") if path.is_file()]
        unfinished = Path(making) / "layer.zip"
        with zipfile.ZipFile(unfinished, "w") as archive:
            for path, name in sources:
                archive.write(path, f"python/{name}")
        unfinished.replace(layer)
    return layer


def _sources(package: str) -> list[tuple[Path, str]]:
    """Return the files of an installed package with their names in a layer; nothing of it is imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed", name=package)
    root = Path(next(iter(spec.submodule_search_locations)))
    return [(path, f"{package}/{path.relative_to(root)}") for path in sorted(root.rglob("*.py"))]
