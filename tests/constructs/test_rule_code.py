"""How a handler's folder becomes an asset that is the same on every machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from aws_cdk.assertions import Template

from tests.constructs.stacks import HANDLER, new_rule, new_stack, only
from workmail_constructs import PackingError, RuleCode, assets
from workmail_flow.packed_code import RUNTIME_PACKAGES

PLATFORM_TAG = "manylinux_2_34"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the smallest handler's folder."""
    folder = tmp_path / "handler"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    return folder


def packed(folder: Path) -> Path:
    return assets.pack(folder.resolve()).folder


def content(packed_folder: Path) -> dict[str, bytes]:
    """Return every file of a packed folder."""
    files = (file for file in packed_folder.rglob("*") if file.is_file())
    return {file.relative_to(packed_folder).as_posix(): file.read_bytes() for file in files}


def asset_hash(folder: Path) -> str:
    """Return the hash CDK gives the folder's asset."""
    stack = new_stack()
    new_rule(stack, code=RuleCode.from_folder(folder))
    key: str = only(stack, "AWS::Lambda::Function")["Code"]["S3Key"]
    return key


def wheel(wheels: Path, tag: str) -> None:
    """Write a wheel that knows its platform."""
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheels / f"speedy-1.0-{tag}.whl", "w") as archive:
        archive.writestr("speedy.py", f"TAG = {tag!r}\n")
        archive.writestr("speedy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: speedy\nVersion: 1.0\n")
        archive.writestr("speedy-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr("speedy-1.0.dist-info/entry_points.txt", "[console_scripts]\nspeedy = speedy:main\n")
        archive.writestr("speedy-1.0.dist-info/RECORD", "")


def test_the_runtime_is_packed_with_the_handler(folder: Path) -> None:
    files = content(packed(folder))

    assert {"app.py", "workmail_runtime/__init__.py", "workmail_flow/vocabulary.py"} <= files.keys()
    assert json.loads(files[".workmail/build.json"]) == {"platform": "aarch64-manylinux_2_34", "python": "3.13"}
    assert ".workmail/requirements.txt" not in files


def test_the_packed_handler_runs_alone(folder: Path) -> None:
    shutil.copytree(HANDLER, folder, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(packed(folder))!r}); import app"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


def test_byte_code_times_modes_and_place_do_not_change_the_hash(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(folder, moved)
    (moved / "__pycache__").mkdir()
    (moved / "__pycache__" / "app.cpython-311.pyc").write_bytes(os.urandom(8))
    (moved / ".venv").mkdir()
    (moved / ".venv" / "pyvenv.cfg").write_text("home = /here")
    os.utime(moved / "app.py", (0, 0))
    (moved / "app.py").chmod(0o700)

    assert asset_hash(moved) == asset_hash(folder)


def test_other_code_changes_the_hash(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "app.py").write_text("def handler(event, context): return None\n")

    assert asset_hash(other) != asset_hash(folder)


def test_an_installed_wheel_packs_what_a_checkout_packs(folder: Path, tmp_path: Path) -> None:
    # Installed packages are in one folder, with the byte code that pip has compiled.
    site = tmp_path / "site"
    root = Path(assets.__file__).parent
    for source in (root, *(assets._source_of(package) for package in RUNTIME_PACKAGES)):
        shutil.copytree(source, site / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(site)], check=True)
    script = (
        "import pathlib, shutil, sys; from workmail_constructs.assets import pack; "
        "code = pack(pathlib.Path(sys.argv[1])); shutil.copytree(code.folder, sys.argv[2]); print(code.hash)"
    )
    copied = tmp_path / "copied"
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", script, str(folder), str(copied)], check=True, env=environment, cwd=tmp_path)

    assert content(copied) == content(packed(folder))
    assert not any("__pycache__" in name for name in content(copied))


def test_a_folder_is_packed_once_per_process(folder: Path) -> None:
    assert packed(folder) == packed(folder)


def test_rules_of_one_folder_share_the_asset_in_each_stack(folder: Path) -> None:
    stack, other = new_stack(), new_stack()
    code = RuleCode.from_folder(folder)

    assert code.in_stack(stack) is RuleCode.from_folder(folder).in_stack(stack)
    assert code.in_stack(stack) is not code.in_stack(other)
    for each in (stack, other):
        new_rule(each, code=code)
        Template.from_stack(each).resource_count_is("AWS::Lambda::Function", 1)


def test_requirements_are_resolved_for_the_functions_platform(folder: Path) -> None:
    for tag in ("cp311-cp311-manylinux_2_17_x86_64", f"cp313-cp313-{PLATFORM_TAG}_aarch64"):
        wheel(folder / "wheels", tag)
    (folder / "requirements.txt").write_text("--no-index\n--find-links wheels\nspeedy==1.0\n")

    files = content(packed(folder))
    assert files["speedy.py"] == b"TAG = 'cp313-cp313-manylinux_2_34_aarch64'\n"
    assert files[".workmail/requirements.txt"] == (folder / "requirements.txt").read_bytes()
    assert {name for name in files if name.startswith("speedy-1.0.dist-info/")} == {
        "speedy-1.0.dist-info/METADATA",
        "speedy-1.0.dist-info/WHEEL",
        "speedy-1.0.dist-info/entry_points.txt",
    }
    assert not any(name.startswith(("bin/", ".lock")) for name in files)


def test_requirements_without_a_wheel_for_the_platform_are_refused(folder: Path) -> None:
    wheel(folder / "wheels", "cp311-cp311-manylinux_2_17_x86_64")
    (folder / "requirements.txt").write_text("--no-index\n--find-links wheels\nspeedy==1.0\n")

    with pytest.raises(PackingError, match=r"cannot resolve for Python 3.13 on aarch64-manylinux_2_34") as caught:
        packed(folder)
    assert str(folder / "requirements.txt") in str(caught.value)
    assert "speedy" in str(caught.value)


def test_requirements_need_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (folder / "requirements.txt").write_text("idna\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PackingError, match=r"needs uv, which was found neither .* pip install uv"):
        packed(folder)


@pytest.mark.parametrize("name", ["workmail_runtime", "workmail_flow.py", ".workmail"])
def test_a_folder_that_shadows_the_runtime_is_refused(folder: Path, name: str) -> None:
    (folder / name).mkdir()

    with pytest.raises(PackingError, match=rf"found {name}.* rename or remove it"):
        packed(folder)


def test_a_path_that_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path: found '.*nowhere', which is not a folder"):
        RuleCode.from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("handler", ["app", "app.", "app.py:handler", "my-app.handler"])
def test_a_malformed_handler_is_refused(folder: Path, handler: str) -> None:
    with pytest.raises(ValueError, match=r"handler: found .*MODULE\.FUNCTION"):
        RuleCode.from_folder(folder, handler=handler)


def test_a_handler_whose_module_is_missing_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"handler: found 'main.handler', but there is no .*main\.py"):
        RuleCode.from_folder(folder, handler="main.handler")


def test_a_handler_may_be_in_a_package(folder: Path) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "__init__.py").touch()

    assert RuleCode.from_folder(folder, handler="rules.handler").handler == "rules.handler"
