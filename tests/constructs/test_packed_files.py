"""Which of the user's files are packed, where they lie, and who can read them."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.constructs.handler_folders import asset_hash, packed, users, wheel, write
from tests.constructs.stacks import new_stack
from workmail_constructs import PackingError, RuleCode
from workmail_constructs.assets import Target

if TYPE_CHECKING:
    from pathlib import Path

HANDLER_LINE = "def handler(event, context): ...\n"

SYNTH = """
import os, sys
os.umask(0o077)
from aws_cdk import App, Stack
from aws_cdk.aws_lambda import Architecture, Function, Runtime
from workmail_constructs import RuleCode
app = App(outdir=sys.argv[2])
stack = Stack(app, "Mail")
Function(stack, "F", runtime=Runtime.PYTHON_3_13, architecture=Architecture.ARM_64, handler="app.handler",
    code=RuleCode.from_folder(sys.argv[1]).in_stack(stack))
app.synth()
"""


def modes(asset: Path) -> dict[str, str]:
    return {path.relative_to(asset).as_posix(): stat.filemode(path.stat().st_mode) for path in asset.rglob("*")}


def test_lambda_can_read_what_is_staged_under_a_strict_umask(folder: Path, tmp_path: Path) -> None:
    wheel(folder / "wheels", "py3-none-any")
    write(folder, {"requirements.txt": "--no-index\n--find-links wheels\nspeedy\n", "data/words": "x", "tool": "#!x"})
    (folder / "app.py").chmod(0o600)
    (folder / "data").chmod(0o700)
    (folder / "tool").chmod(0o700)
    out = tmp_path / "cdk.out"
    subprocess.run([sys.executable, "-c", SYNTH, str(folder), str(out)], check=True)

    (asset,) = out.glob("asset.*")
    found = modes(asset)
    assert found["tool"] == "-rwxr-xr-x"
    assert {
        "app.py",
        "data/words",
        "speedy.py",
        "workmail_runtime/event.py",
        "workmail_flow/__init__.py",
    } <= found.keys()
    # The zip that CDK makes of it holds files only, each with its mode.
    assert {mode for name, mode in found.items() if name != "tool" and not mode.startswith("d")} == {"-rw-r--r--"}


def test_what_is_packed_can_be_read_by_all(folder: Path) -> None:
    write(folder, {"data/words": "x"})
    (folder / "data").chmod(0o700)
    asset = RuleCode.from_folder(folder)._pack(Target()).folder

    assert stat.filemode(asset.stat().st_mode) == "drwxr-xr-x"
    assert set(modes(asset).values()) == {"drwxr-xr-x", "-rw-r--r--"}


def test_a_program_becoming_executable_changes_the_hash(folder: Path, tmp_path: Path) -> None:
    write(folder, {"tool": "#!/bin/sh\n"})
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "tool").chmod(0o700)

    assert asset_hash(folder) != asset_hash(other)


LEFT_OUT = [
    *(".env", ".env.local", ".envrc", ".netrc", ".git/config", ".gitignore", ".idea/x.xml", ".vscode/settings.json"),
    *(".tox/x", ".nox/x", ".venv/pyvenv.cfg", "venv/pyvenv.cfg", ".mypy_cache/x", ".pytest_cache/x", ".ruff_cache/x"),
    *("__pycache__/app.cpython-313.pyc", "app.pyc", "rules.egg-info/PKG-INFO", "node_modules/x/index.js"),
    *("cdk.out/tree.json", "tests/test_app.py", "test/app.py", "test_app.py", "conftest.py", ".DS_Store"),
    *("app.py~", ".app.py.swp", "package/.env", "package/tests/__init__.py", "requirements.txt", "pyproject.toml"),
    "uv.lock",
]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_a_function_never_runs_is_left_out(folder: Path, name: str) -> None:
    write(folder, {name: "", "package/__init__.py": "", "words.json": "[]"})

    assert users(packed(folder)) == {"app.py", "package/__init__.py", "words.json"}


def test_everything_else_is_packed(folder: Path) -> None:
    names = {
        "app.py",
        "data/words.txt",
        "testing.py",
        "README.md",
        "environment/__init__.py",
        "env.json",
        "data/no_ending",
    }
    write(folder, dict.fromkeys(names - {"app.py"}, ""))

    assert users(packed(folder)) == names


def test_a_link_is_packed_as_what_it_points_to(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, {"shared/words.txt": "x"})
    (folder / "data").symlink_to(tmp_path / "shared")

    assert packed(folder)["data/words.txt"] == b"x"


def test_links_that_lead_nowhere_or_in_a_circle_are_refused_together(folder: Path) -> None:
    (folder / "gone").symlink_to(folder / "nothing")
    (folder / "loop").symlink_to(folder)

    with pytest.raises(PackingError) as caught:
        packed(folder)
    assert str(caught.value).splitlines() == [
        f"{folder}/gone: found neither a file nor a folder; remove it, or leave it out with exclude",
        f"{folder}/loop: found a link to a folder that holds it; remove it, or leave it out with exclude",
    ]
    assert users(packed(folder, exclude=["gone", "loop"])) == {"app.py"}


def test_exclude_leaves_out_more(folder: Path) -> None:
    write(folder, dict.fromkeys(["a.md", "data/b.md", "data/deep/c.csv", "c.csv", "drafts/d.txt"], ""))

    files = packed(folder, exclude=["*.md", "data/*.csv", "drafts"])
    assert users(files) == {"app.py", "c.csv"}


@pytest.mark.parametrize("pattern", ["", "!app.py", "/data", "data/", "../x", "./data"])
def test_a_pattern_that_would_match_nothing_is_refused(folder: Path, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"exclude: found .*a pattern is a name, such as '\*\.md', or a path"):
        RuleCode.from_folder(folder, exclude=[pattern])


@pytest.mark.parametrize("argument", ["include", "exclude"])
def test_a_string_alone_is_refused(folder: Path, argument: str) -> None:
    with pytest.raises(TypeError, match=rf"{argument}: found 'data' alone; give a list: \['data'\]"):
        RuleCode.from_folder(folder, **{argument: "data"})


@pytest.mark.parametrize(
    ("handler", "left_out", "pattern"),
    [
        ("tests.app.handler", "tests", "tests"),
        ("rules.test_app.handler", "rules/test_app.py", "test_*.py"),
        ("drafts.app.handler", "drafts", "drafts"),
    ],
)
def test_a_handler_that_is_left_out_is_refused(folder: Path, handler: str, left_out: str, pattern: str) -> None:
    write(folder, {"tests/app.py": "", "rules/test_app.py": "", "drafts/app.py": ""})

    with pytest.raises(ValueError) as caught:
        RuleCode.from_folder(folder, handler=handler, exclude=["drafts"])
    assert str(caught.value) == (
        f"handler: found {handler!r}, but the pattern {pattern!r} leaves {left_out} out of the packed code; "
        "rename it, or change exclude"
    )


@pytest.mark.parametrize(
    ("statement", "module", "left_out", "pattern"),
    [
        ("import tests.helpers", "tests", "tests", "tests"),
        ("from tests.helpers import x", "tests", "tests", "tests"),
        ("from rules import test_mode", "rules.test_mode", "rules/test_mode.py", "test_*.py"),
        ("def f():\n    from drafts import x", "drafts", "drafts.py", "drafts.py"),
    ],
)
def test_code_that_imports_what_is_left_out_is_refused(
    folder: Path, statement: str, module: str, left_out: str, pattern: str
) -> None:
    write(folder, {"tests/helpers.py": "", "rules/__init__.py": "", "rules/test_mode.py": "", "drafts.py": ""})
    write(folder, {"app.py": f"{statement}\n{HANDLER_LINE}", "newer.py": "not of this Python"})

    with pytest.raises(PackingError) as caught:
        packed(folder, exclude=["drafts.py"])
    assert str(caught.value) == (
        f"{folder}/app.py: imports {module}, but the pattern {pattern!r} leaves {left_out} out; rename it, "
        "name it in include, or leave app.py out with exclude"
    )


def test_a_relative_import_of_what_is_left_out_is_refused(folder: Path) -> None:
    write(folder, {"rules/__init__.py": "from . import test_mode", "rules/test_mode.py": "", "test_mode.py": ""})

    with pytest.raises(PackingError, match=r"rules/__init__\.py: imports rules\.test_mode, but"):
        packed(folder)


def test_an_import_for_type_checkers_may_be_left_out(folder: Path) -> None:
    write(folder, {"tests/helpers.py": "", "app.py": f"if TYPE_CHECKING:\n    import tests.helpers\n{HANDLER_LINE}"})

    assert users(packed(folder)) == {"app.py"}


def test_include_packs_shared_code_beside_the_handler(folder: Path, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "shared/__init__.py": "",
            "shared/deep/words.py": HANDLER_LINE,
            "shared/tests/test_words.py": "",
            "one.py": "",
        },
    )
    write(tmp_path, {"shared/.env": "SECRET=1"})

    files = packed(folder, include=["../shared", tmp_path / "one.py"], handler="shared.deep.words.handler")
    assert users(files) == {"app.py", "shared/__init__.py", "shared/deep/words.py", "one.py"}


def test_include_brings_back_what_is_left_out_by_default(folder: Path) -> None:
    write(folder, {"tests/helpers.py": "", "app.py": f"import tests.helpers\n{HANDLER_LINE}"})

    assert users(packed(folder, include=["tests"])) == {"app.py", "tests/helpers.py"}


def test_rules_that_include_the_same_code_share_the_asset(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, {"shared/__init__.py": ""})
    stack = new_stack()
    one, other = (RuleCode.from_folder(folder, include=["../shared"], exclude=["*.md"]) for _ in range(2))

    assert one.in_stack(stack) is other.in_stack(stack)
    assert one.in_stack(stack) is not RuleCode.from_folder(folder).in_stack(stack)


def test_a_change_in_included_code_changes_the_hash(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, {"1/shared/__init__.py": "X = 1", "2/shared/__init__.py": "X = 2"})

    assert asset_hash(folder, include=["../1/shared"]) != asset_hash(folder, include=["../2/shared"])


@pytest.mark.parametrize(
    "path",
    ["app.py", "rules/__init__.py", "rules.py", "app/__init__.py", "workmail_flow/__init__.py", ".workmail/words"],
)
def test_names_that_clash_are_refused(folder: Path, tmp_path: Path, path: str) -> None:
    write(folder, {"rules/__init__.py": ""})
    write(tmp_path / "shared", {path: HANDLER_LINE})
    name = path.partition("/")[0]

    with pytest.raises(
        PackingError, match=rf"include: found {tmp_path}/shared/{name}, but .* has the name .*rename one"
    ):
        packed(folder, include=[f"../shared/{name}"])


def test_two_includes_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, {"1/shared/__init__.py": "", "2/shared.py": ""})

    with pytest.raises(
        PackingError, match=rf"include: found .*2/shared.py, but {tmp_path}/1/shared has the name shared"
    ):
        packed(folder, include=["../1/shared", "../2/shared.py"])


def test_what_cannot_be_included_is_refused_together(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, {"my-shared/__init__.py": "", ".env": ""})

    with pytest.raises(ValueError) as caught:
        RuleCode.from_folder(folder, include=["nowhere", "../.env", "../my-shared"], exclude=[""])
    nowhere, secrets, name, pattern = str(caught.value).splitlines()
    assert nowhere == (
        f"include: found 'nowhere', but there is no {folder}/nowhere; give a folder or file; a relative path starts at "
        f"the handler's folder, {folder}"
    )
    assert secrets == "include: found '../.env', which may hold secrets and is never packed; remove it"
    assert name == "include: found '../my-shared', whose name Python cannot import; rename it to letters, digits and _"
    assert pattern.startswith("exclude: found ''")
