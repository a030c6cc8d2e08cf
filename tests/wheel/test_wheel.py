"""The wheel as a user gets it: built, installed alone in a clean environment, used."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.readme_app import run_pytest, write_readme_app
from workmail_flow.packed_code import find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LAMBDA_PACKAGES = ("workmail_custom_resources", "workmail_flow", "workmail_rules", "workmail_runtime")
PACKAGES = ("workmail_constructs", "workmail_local", *LAMBDA_PACKAGES)
UV = find_uv() or "uv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([UV, "build", "--wheel", "--quiet", "--out-dir", out, ROOT], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of an environment that has our wheel's files and, read-only, the development packages."""
    home = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel],
        check=True,
        capture_output=True,
    )
    # The dependencies come from the environment that runs the tests, without its editable install of this project.
    site = next((home / "lib").glob("python*")) / "site-packages"
    development = Path(pytest.__file__).resolve().parents[1]
    (site / "development.pth").write_text(f"{development}\n", encoding="utf-8")
    return python


def test_the_wheel_holds_the_packages_typed_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(PACKAGES)
    assert {f"{top}/py.typed" for top in tops} <= set(names)
    assert {
        "workmail_constructs/cli/rule-file.schema.json",
        "workmail_local/functions/runtime_client_standin/runtime_client.py",
        *(f"workmail_local/server/page/{file.name}" for file in (ROOT / "workmail_local/server/page").iterdir()),
    } <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_project_file_names_all_packages() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    paths = ["workmail_constructs", "workmail_local", *(f"lambda_src/{package}" for package in LAMBDA_PACKAGES)]
    assert tool["hatch"]["build"]["targets"]["wheel"]["packages"] == paths
    assert tool["mypy"]["packages"] == [*PACKAGES]


def test_an_installed_wheel_imports_and_answers(installed: Path, tmp_path: Path) -> None:
    names = ", ".join(PACKAGES)
    script = f"import {names}\nprint(*(module.__file__ for module in ({names})), sep='\\n')"
    imported = subprocess.run([installed, "-P", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    site = next(installed.parents[1].glob("lib/python*/site-packages"))
    assert imported.stdout.split() == [str(site / package / "__init__.py") for package in PACKAGES]
    done = subprocess.run(
        [installed.with_name("workmail-flow"), "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "0.1.0"


def test_an_installed_wheel_packs_what_the_checkout_packs(installed: Path, tmp_path: Path) -> None:
    handler = ROOT / "examples" / "hello_world" / "handler"
    script = (
        "import pathlib, sys\nfrom workmail_constructs.assets import pack\nprint(pack(pathlib.Path(sys.argv[1])).hash)"
    )
    hashes = {
        subprocess.run(
            [python, "-P", "-c", script, handler], capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout
        for python in (installed, sys.executable)
    }
    assert len(hashes) == 1


def test_the_readmes_test_runs_with_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    write_readme_app(tmp_path)
    (tmp_path / "test_event.py").write_text(
        "import workmail_constructs\n"
        "from workmail_constructs.testing import inbound_event\n\n"
        "def test_event():\n"
        f"    assert workmail_constructs.__file__.startswith({str(installed.parents[1])!r})\n"
        "    assert inbound_event()['flowDirection'] == 'INBOUND'\n",
        encoding="utf-8",
    )

    said = run_pytest(installed, tmp_path, "--snapshot-update")
    assert "1 snapshot generated" in said, said
    assert "3 passed" in said, said


def test_each_handlers_folder_is_type_checked_by_itself(installed: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    (loop,) = re.findall(r"^\$ (for folder in .*)$", page, re.MULTILINE)
    for name in ("first", "second"):
        folder = tmp_path / "rules" / name
        folder.mkdir(parents=True)
        (folder / "words.py").write_text(f"WORD = {name!r}\n", encoding="utf-8")
        (folder / "app.py").write_text(
            "from words import WORD\n\nfrom workmail_runtime import InboundEvent, Reply, synchronous_inbound\n\n\n"
            "@synchronous_inbound\ndef handler(event: InboundEvent) -> Reply:\n"
            "    return event.reply.bounce_for_all(message=WORD)\n",
            encoding="utf-8",
        )
    command = loop.replace("mypy", f"'{installed}' -m mypy --cache-dir '{tmp_path}'")
    checked = subprocess.run(["sh", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.stdout.count("Success: no issues found in 2 source files") == 2, checked.stdout
