"""What Lambda's Python runtime has besides the standard library: its client and boto3."""

from __future__ import annotations

import compileall
import functools
import hashlib
import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workmail_local.functions.made_once import made_once
from workmail_local.functions.unpacked_code import install

if TYPE_CHECKING:
    from workmail_local.functions.interpreters import Interpreter

_BOTO3: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_CLIENT: Final = ("awslambdaric", "simplejson", "snapshot_restore_py")
_CLIENT_REQUIREMENT: Final = "awslambdaric>=4,<5"
_COMPILED_CLIENT: Final = "runtime_client"
_STANDIN: Final = Path(__file__).parent / "runtime_client_standin" / "runtime_client.py"


@functools.cache
def runtime_folder(work: Path, interpreter: Interpreter) -> Path:
    """Return the folder that stands for `/var/runtime`: links to the packages installed beside this one.

    The packages are linked one by one, so that a function sees these and none of the developer's.

    Raises:
        ModuleNotFoundError: boto3 or one of its requirements is not installed.
        CodeError: The runtime client is not installed and cannot be fetched.
    """
    packages = [*map(installed_package, _BOTO3), *_client(work), _compiled_client(interpreter) or _STANDIN]
    digest = hashlib.sha256("\n".join(map(str, packages)).encode()).hexdigest()

    def fill(folder: Path) -> None:
        for package in packages:
            (folder / package.name).symlink_to(package)

    return made_once(work / "runtime" / digest[:16], fill)


def compile_packages(runtime: Path) -> None:
    """Compile the packages that a runtime folder links to, unless a run before did."""
    if not Path(cache_from_source(str(runtime / "botocore" / "session.py"))).exists():
        for package in runtime.iterdir():
            if package.is_dir():
                compileall.compile_dir(package.resolve(), quiet=2)


def _client(work: Path) -> list[Path]:
    """Return the packages of the runtime client.

    They are published for Linux only, because of the compiled module that the stand-in replaces. On other platforms
    the Linux packages are fetched.
    """
    if importlib.util.find_spec(_CLIENT[0]):
        return [installed_package(name) for name in _CLIENT]
    arguments = ["--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:", _CLIENT_REQUIREMENT]
    folder = made_once(
        work / "client",
        lambda making: install(arguments, target=making, cwd=making, wanted="AWS's Lambda runtime client"),
    )
    return [path for name in _CLIENT for path in (folder / name, folder / f"{name}.py") if path.exists()]


def _compiled_client(interpreter: Interpreter) -> Path | None:
    """Return the compiled module if this interpreter can load it."""
    spec = importlib.util.find_spec(_COMPILED_CLIENT)
    if spec is None or spec.origin is None or interpreter.cache_tag != sys.implementation.cache_tag:
        return None
    return Path(spec.origin) if spec.origin.endswith(tuple(EXTENSION_SUFFIXES)) else None


def installed_package(name: str) -> Path:
    """Return the folder or file of a package installed beside this one, without importing it.

    Raises:
        ModuleNotFoundError: It is not installed; the message says what to install.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"no module named {name!r}, which running Lambda functions here needs: "
            "pip install 'workmail-constructs[local]'",
            name=name,
        )
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin
