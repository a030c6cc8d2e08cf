"""What tests do with handlers' folders: fill them, pack them, look at what is packed."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from tests.constructs.stacks import new_rule, new_stack, only
from workmail_constructs import RuleCode
from workmail_constructs.assets import Target

if TYPE_CHECKING:
    from pathlib import Path

# A build backend within the project, so that no build needs a package from an index.
_BACKEND = """
import pathlib, zipfile
def build_wheel(out, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(pathlib.Path(out) / "NAME-1.0-py3-none-any.whl", "w") as wheel:
        for source in pathlib.Path("src").rglob("*.py"):
            wheel.write(source, source.relative_to("src"))
        info = "NAME-1.0.dist-info"
        readme = pathlib.Path("README").read_text() if pathlib.Path("README").exists() else ""
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: NAME\\nVersion: 1.0\\nREQUIRES\\n" + readme)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return "NAME-1.0-py3-none-any.whl"
build_editable = build_wheel
"""


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files into a folder, and return it."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def project(root: Path, *, requires: str = "", extra: str = "") -> Path:
    """Write a project that installs one package, both called like the folder."""
    name = root.name
    backend = _BACKEND.replace("NAME", name).replace("REQUIRES", f"Requires-Dist: {requires}\\n" if requires else "")
    head = f'[project]\nname = "{name}"\nversion = "1.0"\n'
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    dependencies = [requires] if requires else []
    files = {
        "pyproject.toml": f"{head}dependencies = {dependencies}\n{system}{extra}",
        "backend.py": backend,
        f"src/{name}/__init__.py": f"WORD = '{name}'\n",
    }
    return write(root, files)


def wheel(wheels: Path, tag: str) -> None:
    """Write a wheel that knows its platform."""
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheels / f"speedy-1.0-{tag}.whl", "w") as archive:
        archive.writestr("speedy.py", f"TAG = {tag!r}\n")
        archive.writestr("speedy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: speedy\nVersion: 1.0\n")
        archive.writestr("speedy-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr("speedy-1.0.dist-info/entry_points.txt", "[console_scripts]\nspeedy = speedy:main\n")
        archive.writestr("speedy-1.0.dist-info/RECORD", "")


def source_distribution(wheels: Path) -> None:
    """Write a source distribution that no wheel comes with."""
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheels / "speedy-1.0.zip", "w") as archive:
        archive.writestr("speedy-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: speedy\nVersion: 1.0\n")
        archive.writestr("speedy-1.0/pyproject.toml", '[project]\nname = "speedy"\nversion = "1.0"\n')
        archive.writestr("speedy-1.0/speedy.py", "")


def content(packed_folder: Path) -> dict[str, bytes]:
    """Return every file of a packed folder."""
    files = (file for file in packed_folder.rglob("*") if file.is_file())
    return {file.relative_to(packed_folder).as_posix(): file.read_bytes() for file in files}


def packed(folder: Path, **arguments: Any) -> dict[str, bytes]:
    """Pack a folder, and return every file."""
    return content(RuleCode.from_folder(folder, **arguments)._pack(Target()).folder)


def users(files: dict[str, bytes]) -> set[str]:
    """Return the names of packed files, without the runtime and the record."""
    ours = ("workmail_flow/", "workmail_runtime/", ".workmail/")
    return {name for name in files if not name.startswith(ours)}


def asset_hash(folder: Path, **arguments: Any) -> str:
    """Return the hash of the folder's asset in the template."""
    stack = new_stack()
    new_rule(stack, code=RuleCode.from_folder(folder, **arguments))
    key: str = only(stack, "AWS::Lambda::Function")["Code"]["S3Key"]
    return key
