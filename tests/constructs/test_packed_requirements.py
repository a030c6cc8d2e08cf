"""How the packages of a requirements.txt or pyproject.toml are resolved and packed."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.constructs.handler_folders import (
    asset_hash,
    content,
    packed,
    project,
    source_distribution,
    users,
    wheel,
    write,
)
from tests.constructs.stacks import new_stack
from workmail_constructs import PackingError, RuleCode
from workmail_constructs.assets import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OFFLINE = "--no-index\n--find-links wheels\n"


def test_requirements_are_resolved_for_the_functions_platform(folder: Path) -> None:
    for tag in ("cp311-cp311-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_34_aarch64"):
        wheel(folder / "wheels", tag)
    write(folder, {"requirements.txt": f"{OFFLINE}speedy>=1\n"})

    files = packed(folder, exclude=["wheels"])
    assert files["speedy.py"] == b"TAG = 'cp313-cp313-manylinux_2_34_aarch64'\n"
    assert users(files) == {
        "app.py",
        "speedy.py",
        "speedy-1.0.dist-info/METADATA",
        "speedy-1.0.dist-info/WHEEL",
        "speedy-1.0.dist-info/entry_points.txt",
    }


@pytest.mark.parametrize(
    ("python", "architecture", "tag"),
    [
        ("3.11", "arm64", "cp311-cp311-manylinux_2_17_aarch64"),
        ("3.11", "x86_64", "cp311-cp311-manylinux_2_17_x86_64"),
        ("3.12", "x86_64", "cp312-cp312-manylinux_2_34_x86_64"),
        ("3.13", "arm64", "cp313-cp313-manylinux_2_34_aarch64"),
        ("3.14", "arm64", "cp314-cp314-manylinux_2_34_aarch64"),
    ],
)
def test_each_runtime_and_architecture_gets_the_newest_packages_that_it_can_load(
    folder: Path, python: str, architecture: str, tag: str
) -> None:
    for each in ("311", "312", "313", "314"):
        for machine in ("aarch64", "x86_64"):
            for glibc in ("2_17", "2_34", "2_35"):
                wheel(folder / "wheels", f"cp{each}-cp{each}-manylinux_{glibc}_{machine}")
    write(folder, {"requirements.txt": f"{OFFLINE}speedy==1.0\n"})

    files = content(RuleCode.from_folder(folder)._pack(Target(python, architecture)).folder)
    assert files["speedy.py"].decode() == f"TAG = {tag!r}\n"
    assert json.loads(files[".workmail/build.json"])["python"] == python


def test_the_record_pins_what_was_resolved_and_says_where_without_credentials(folder: Path) -> None:
    wheel(folder / "wheels", "py3-none-any")
    lines = [
        "--extra-index-url https://me:secret@packages.example/simple",
        "--no-index",
        "--find-links wheels",
        "speedy",
    ]
    write(folder, {"requirements.txt": "\n".join(lines)})

    record = packed(folder)[".workmail/requirements.txt"].decode()
    assert record == "--extra-index-url https://packages.example/simple\nspeedy==1.0\n"


def test_comments_of_the_requirements_do_not_change_the_hash(folder: Path) -> None:
    wheel(folder / "wheels", "py3-none-any")
    write(folder, {"requirements.txt": f"{OFFLINE}speedy\n"})
    before = asset_hash(folder)
    (folder / "requirements.txt").write_text(f"{OFFLINE}speedy  # we need it\n")
    commented = RuleCode.from_folder(folder, exclude=["none"])._pack(Target())

    assert asset_hash(folder, exclude=["none"]) == before
    assert "speedy.py" in content(commented.folder)


def foreign_wheel(wheels: Path) -> None:
    wheel(wheels, "cp311-cp311-manylinux_2_17_x86_64")


@pytest.mark.parametrize("make", [foreign_wheel, source_distribution])
def test_requirements_without_a_wheel_for_the_platform_are_refused(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "wheels")
    write(folder, {"requirements.txt": f"{OFFLINE}speedy==1.0\n"})

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


@pytest.mark.parametrize(
    "line",
    [
        "../common",
        "-e ../common",
        "common @ ../common",
        "../common ; python_version > '3'",
        "-r more.txt",
        "file://{common}",
    ],
)
def test_a_project_on_this_machine_is_built_with_the_projects_it_needs(folder: Path, tmp_path: Path, line: str) -> None:
    project(tmp_path / "base")
    common = project(tmp_path / "common", requires="base", extra='[tool.uv.sources]\nbase = { path = "../base" }\n')
    write(folder, {"requirements.txt": f"--no-index\n{line.format(common=common)}\n", "more.txt": "../common\n"})

    files = packed(folder, exclude=["more.txt"])
    assert users(files) == {
        "app.py",
        *(f"{name}/__init__.py" for name in ("base", "common")),
        *(f"{name}-1.0.dist-info/{file}" for name in ("base", "common") for file in ("METADATA", "WHEEL")),
    }
    assert ".workmail/requirements.txt" not in files


def test_a_source_distribution_beside_a_local_project_is_still_refused(folder: Path, tmp_path: Path) -> None:
    project(tmp_path / "common", requires="speedy")
    source_distribution(folder / "wheels")
    write(folder, {"requirements.txt": f"{OFFLINE}../common\n"})

    with pytest.raises(PackingError, match=r"cannot resolve for Python 3.13.*(?s:.*)speedy"):
        packed(folder)


def test_a_change_in_a_local_projects_code_is_packed_and_a_change_of_its_readme_is_not(
    folder: Path, tmp_path: Path
) -> None:
    common = project(tmp_path / "common")
    write(folder, {"requirements.txt": "--no-index\n../common\n"})
    first = asset_hash(folder)
    # Other arguments, since the same are packed once per process.
    write(common, {"README": "\nWhat it is for.\n"})
    assert asset_hash(folder, exclude=["1"]) == first
    write(common, {"src/common/__init__.py": "WORD = 'other'\n"})
    assert asset_hash(folder, exclude=["2"]) != first


def test_a_pyproject_names_packages_as_well(folder: Path, tmp_path: Path) -> None:
    project(tmp_path / "common")
    wheel(folder / "wheels", "py3-none-any")
    head = '[project]\nname = "rule"\nversion = "1"\ndependencies = ["common", "speedy"]\n'
    sources = '[tool.uv.sources]\ncommon = { path = "../common", editable = true }\n'
    write(folder, {"pyproject.toml": f'{head}{sources}[tool.uv]\nno-index = true\nfind-links = ["wheels"]\n'})

    files = packed(folder)
    assert {"common/__init__.py", "speedy.py"} <= files.keys()
    assert files[".workmail/requirements.txt"] == b"speedy==1.0\n"


def test_a_requirements_file_comes_before_a_pyproject(folder: Path) -> None:
    wheel(folder / "wheels", "py3-none-any")
    head = '[project]\nname = "rule"\nversion = "1"\ndependencies = ["no-such-package"]\n'
    write(folder, {"pyproject.toml": head, "requirements.txt": f"{OFFLINE}speedy\n"})

    assert "speedy.py" in packed(folder)


@pytest.mark.parametrize("text", ["[tool.ruff]\nline-length = 120\n", '[project]\nname = "rule"\nversion = "1"\n'])
def test_a_pyproject_without_dependencies_needs_no_uv(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    write(folder, {"pyproject.toml": text})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert users(packed(folder)) == {"app.py"}


@pytest.mark.parametrize(
    ("text", "found"),
    [("[project\n", "what is not TOML"), ('[project]\ndynamic = ["dependencies"]\n', "dynamic dependencies")],
)
def test_a_pyproject_that_does_not_say_what_it_needs_is_refused(folder: Path, text: str, found: str) -> None:
    write(folder, {"pyproject.toml": text})

    with pytest.raises(PackingError, match=rf"^{folder}/pyproject.toml: found {found}"):
        packed(folder)


def test_a_file_that_a_requirement_installs_too_is_refused(folder: Path) -> None:
    wheel(folder / "wheels", "py3-none-any")
    write(folder, {"requirements.txt": f"{OFFLINE}speedy\n", "speedy.py": ""})

    with pytest.raises(PackingError, match=r"found speedy.py, which its requirements install too: rename or remove it"):
        packed(folder)


def package_with(wheels: Path, *names: str, text: str = "") -> None:
    wheel(wheels, "py3-none-any")
    with zipfile.ZipFile(wheels / "speedy-1.0-py3-none-any.whl", "a") as archive:
        for name in names:
            archive.writestr(name, text)


def test_our_own_package_among_the_requirements_is_refused(folder: Path) -> None:
    package_with(folder / "wheels", "workmail_flow/__init__.py")
    write(folder, {"requirements.txt": f"{OFFLINE}speedy\n"})

    with pytest.raises(PackingError, match=r"installs workmail_flow, .* leave workmail-constructs out"):
        packed(folder)


def test_an_editable_install_is_refused(folder: Path) -> None:
    # As a uv writes it that does not know UV_NO_EDITABLE.
    origin = json.dumps({"url": "file:///projects/speedy", "dir_info": {"editable": True}})
    package_with(folder / "wheels", "speedy-1.0.dist-info/direct_url.json", text=origin)
    write(folder, {"requirements.txt": f"{OFFLINE}speedy\n"})

    with pytest.raises(PackingError, match=r"found speedy as an editable install, which is a link to this machine"):
        packed(folder)


@pytest.mark.parametrize(
    ("origin", "pinned"),
    [
        ({"url": "https://me:secret@files.example/speedy.whl"}, "speedy @ https://files.example/speedy.whl"),
        (
            {"url": "https://git.example/speedy", "vcs_info": {"vcs": "git", "commit_id": "0123"}},
            "speedy @ git+https://git.example/speedy@0123",
        ),
        ({"url": "file:///wheels/speedy.whl"}, None),
    ],
)
def test_a_package_from_an_address_is_recorded_with_it(
    folder: Path, origin: dict[str, object], pinned: str | None
) -> None:
    package_with(folder / "wheels", "speedy-1.0.dist-info/direct_url.json", text=json.dumps(origin))
    write(folder, {"requirements.txt": f"{OFFLINE}speedy\n"})

    assert packed(folder).get(".workmail/requirements.txt") == (pinned and f"{pinned}\n".encode())


def test_a_package_keeps_its_tests_but_no_secrets(folder: Path) -> None:
    package_with(folder / "wheels", "fast/tests/__init__.py", "fast/.env", "fast/.env.example")
    write(folder, {"requirements.txt": f"{OFFLINE}speedy\n"})

    assert {name for name in packed(folder) if name.startswith("fast/")} == {"fast/tests/__init__.py"}


def test_rules_of_one_stack_are_packed_per_platform(folder: Path) -> None:
    from aws_cdk.aws_lambda import Architecture, Runtime

    stack = new_stack()
    code = RuleCode.from_folder(folder)

    assert code.in_stack(stack) is code.in_stack(stack, runtime=Runtime.PYTHON_3_13, architecture=Architecture.ARM_64)
    assert code.in_stack(stack) is not code.in_stack(stack, architecture=Architecture.X86_64)
