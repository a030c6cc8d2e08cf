"""What Lambda's Python runtime brings besides the standard library: its client and boto3, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import shutil
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workmail_constructs.emulator.functions.interpreters import Interpreter

_BOTO3: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_CLIENT: Final = ("awslambdaric", "simplejson", "snapshot_restore_py")
_COMPILED_CLIENT: Final = "runtime_client"
_STANDIN: Final = Path(__file__).parent / "runtime_client_standin" / "runtime_client.py"


@functools.cache
def runtime_folder(work: Path, interpreter: Interpreter) -> Path:
    """Return the folder that stands for `/var/runtime`: links to the packages installed beside this one.

    Linked one by one, so that a function sees these packages and none of the developer's.

    Raises:
        ModuleNotFoundError: One of the packages is not installed.
    """
    links = {path.name: path for path in map(_installed, (*_BOTO3, *_CLIENT))}
    client = _compiled_client(interpreter) or _STANDIN
    links[client.name] = client
    digest = hashlib.sha256(repr(sorted((name, str(path)) for name, path in links.items())).encode()).hexdigest()
    folder = work / "runtime" / digest[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, path in links.items():
            (making / name).symlink_to(path)
        move_into_place(making, folder)
    return folder


def move_into_place(made: Path, folder: Path) -> None:
    """Rename a finished folder to its place, where another process may have been first with the same."""
    try:
        os.rename(made, folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(made)


def _compiled_client(interpreter: Interpreter) -> Path | None:
    """Return the compiled module if this interpreter can load it."""
    spec = importlib.util.find_spec(_COMPILED_CLIENT)
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is None or not origin.name.endswith(tuple(EXTENSION_SUFFIXES)):
        return None
    return origin if interpreter.cache_tag == _running_cache_tag() else None


def _running_cache_tag() -> str:
    from workmail_constructs.emulator.functions.interpreters import running_interpreter

    return running_interpreter().cache_tag


def _installed(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"no module named {name!r}, which running Lambda functions here needs: "
            "pip install 'workmail-constructs[local]'",
            name=name,
        )
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin
