"""Which projects on this machine a handler's folder asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workmail_flow.handler_requirements import handler_requirements

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty handler's folder, beside the projects `one` and `two`."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    (tmp_path / "handler").mkdir()
    return tmp_path / "handler"


def projects(folder: Path) -> list[str]:
    found = handler_requirements(folder)
    assert found is not None
    return [*found.local_projects]


@pytest.mark.parametrize(
    "line",
    [
        "../one",
        "  ../one  # shared",
        "-e ../one",
        "--editable=../one",
        "../one[fast]",
        "../one; python_version > '3'",
        "one @ ../one",
        "one[fast] @ ../one",
        "one \\\n  @ ../one",
    ],
)
def test_a_line_that_names_a_project_by_path(folder: Path, line: str) -> None:
    (folder / "requirements.txt").write_text(f"{line}\n")
    assert projects(folder) == ["one"]


@pytest.mark.parametrize(
    "line", ["one", "one==1.0", "# ../one", "../gone", "--find-links ../one", "-c more.txt", ".", ""]
)
def test_a_line_that_names_none(folder: Path, line: str) -> None:
    (folder / "requirements.txt").write_text(f"{line}\n")
    (folder / "more.txt").write_text("../one\n")
    (folder / "one").symlink_to(folder.parent / "one")
    assert projects(folder) == []


def test_files_that_read_each_other_are_read_once(folder: Path) -> None:
    (folder / "requirements.txt").write_text("../one\n-r more.txt\n")
    (folder / "more.txt").write_text("../two\n--requirement requirements.txt\n")
    assert projects(folder) == ["one", "two"]


def test_projects_that_need_each_other_are_found_once(folder: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        text = f'[project]\nname = "{name}"\ndependencies = ["{other} @ file://{folder.parent / other}"]\n'
        (folder.parent / name / "pyproject.toml").write_text(text)
    (folder / "requirements.txt").write_text("../one\n")
    assert projects(folder) == ["one", "two"]


def test_a_source_of_uv_may_be_a_list(folder: Path) -> None:
    head = '[project]\nname = "rule"\ndependencies = ["one", "other"]\n[tool.uv.sources]\n'
    sources = 'one = [{ path = "../one", marker = "x" }]\nother = { git = "https://git.example/other" }\n'
    (folder / "pyproject.toml").write_text(head + sources)
    assert projects(folder) == ["one"]


def test_a_folder_without_either_file_asks_for_nothing(folder: Path) -> None:
    assert handler_requirements(folder) is None
