"""How a handler's folder becomes an asset that is the same on every machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.assertions import Template
from aws_cdk.aws_lambda import Architecture, Function, LayerVersion, Runtime, SingletonFunction

from tests.constructs.handler_folders import asset_hash, content, packed, write
from tests.constructs.stacks import HANDLER, errors_of, new_rule, new_stack
from workmail_constructs import PackingError, RuleCode, assets
from workmail_constructs.assets import Target
from workmail_flow.packed_code import RUNTIME_PACKAGES, STEPS_PACKAGE

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk.aws_lambda import Code


def test_the_runtime_is_packed_with_the_handler(folder: Path) -> None:
    files = packed(folder)

    assert {"app.py", "workmail_runtime/__init__.py", "workmail_flow/vocabulary.py"} <= files.keys()
    assert json.loads(files[".workmail/build.json"]) == {"platform": "aarch64-manylinux_2_34", "python": "3.13"}
    assert ".workmail/requirements.txt" not in files


def test_the_packed_handler_runs_alone(folder: Path) -> None:
    shutil.copytree(HANDLER, folder, dirs_exist_ok=True)
    root = RuleCode.from_folder(folder)._pack(Target()).folder
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); import app"],
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


def domain_changed(tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the packed `workmail_flow` be one in which a module has changed."""
    copied = tmp_path / "workmail_flow"
    shutil.copytree(assets._source_of("workmail_flow"), copied)
    with (copied / f"{module}.py").open("a") as file:
        file.write("ADDED = 1\n")
    sources = {name: assets._source_of(name) for name in (*RUNTIME_PACKAGES, STEPS_PACKAGE)}
    monkeypatch.setattr(assets, "_source_of", {**sources, "workmail_flow": copied}.__getitem__)
    assets.pack.cache_clear()


@pytest.mark.parametrize("module", ["lint", "runbook", "diff", "template", "handler_requirements", "packed_code"])
def test_a_change_of_ours_that_no_function_runs_redeploys_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    before = asset_hash(folder)
    domain_changed(tmp_path, module, monkeypatch)

    assert asset_hash(folder) == before


@pytest.mark.parametrize("module", ["judge_reply", "message_bucket", "__init__"])
def test_a_change_of_ours_that_functions_run_redeploys_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    before = asset_hash(folder)
    domain_changed(tmp_path, module, monkeypatch)

    assert asset_hash(folder) != before


def test_a_module_of_the_domain_that_the_users_code_names_is_packed_with_what_it_imports(folder: Path) -> None:
    write(folder, {"newer.py": "type Rule = 1\nfrom workmail_flow.rule_set import RuleSet\n"})
    names = packed(folder).keys()

    assert {"workmail_flow/rule_set.py", "workmail_flow/rule_index.py"} <= names
    assert "workmail_flow/runbook.py" not in names


def test_every_module_of_the_runtime_finds_what_it_imports(folder: Path) -> None:
    root = RuleCode.from_folder(folder)._pack(Target()).folder
    modules = [
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for file in (root / "workmail_runtime").rglob("*.py")
    ]
    script = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        + "".join(f"import {module}\n" for module in modules)
        + "print(*(each.__file__ for name, each in sys.modules.items() if name.startswith('workmail')), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-I", "-B", "-c", script], check=True, capture_output=True, text=True)

    loaded = {Path(line).relative_to(root).as_posix() for line in done.stdout.splitlines()}
    assert loaded == {name for name in packed(folder) if name.startswith("workmail")}


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
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(copied)],
        check=True,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert content(copied) == packed(folder)
    assert done.stdout.strip() == assets.pack(folder.resolve()).hash
    assert not any("__pycache__" in name for name in content(copied))


def test_a_folder_is_packed_once_per_process(folder: Path) -> None:
    assert assets.pack(folder) is assets.pack(folder)


def test_rules_of_one_folder_share_the_asset_in_each_stack(folder: Path) -> None:
    stack, other = new_stack(), new_stack()
    code = RuleCode.from_folder(folder)

    assert code.in_stack(stack) is RuleCode.from_folder(folder).in_stack(stack)
    assert code.in_stack(stack) is not code.in_stack(other)
    for each in (stack, other):
        new_rule(each, code=code)
        Template.from_stack(each).resource_count_is("AWS::Lambda::Function", 1)


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
    (folder / "rules" / "__init__.py").write_text("def handler(event, context): ...")

    assert RuleCode.from_folder(folder, handler="rules.handler").handler == "rules.handler"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def handler(event, context)\n    ...", "has a syntax error in line 1: expected ':'"),
        ("def handle(event, context): ...", "has no 'handler'; it has handle"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_found_before_anything_is_packed(
    folder: Path, source: str, problem: str
) -> None:
    (folder / "app.py").write_text(source)
    with pytest.raises(ValueError, match=rf"handler: found 'app\.handler', but .*app\.py {re.escape(problem)}"):
        RuleCode.from_folder(folder)


def function(stack: Stack, code: Code, name: str = "Users", **arguments: Any) -> Function:
    """Make a function as a user does, which `code` fits unless the arguments differ."""
    fitting = {"runtime": Runtime.PYTHON_3_13, "architecture": Architecture.ARM_64}
    return Function(stack, name, code=code, handler="app.handler", **{**fitting, **arguments})


def test_code_fits_the_function_that_it_is_packed_for(folder: Path) -> None:
    stack = new_stack()
    code = RuleCode.from_folder(folder)
    function(stack, code.in_stack(stack))
    other = {"runtime": Runtime.PYTHON_3_12, "architecture": Architecture.X86_64}
    function(stack, code.in_stack(stack, **other), "Other", **other)
    LayerVersion(stack, "Layer", code=code.in_stack(stack))

    assert errors_of(stack) == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"architecture": Architecture.X86_64}, "python3.13 on x86_64"),
        ({"architecture": None}, "python3.13 on x86_64"),
        ({"runtime": Runtime.PYTHON_3_12}, "python3.12 on arm64"),
        ({"runtime": Runtime.NODEJS_22_X, "architecture": None}, "nodejs22.x on x86_64"),
    ],
)
def test_code_on_a_function_that_cannot_run_it_is_an_error_at_synth(
    folder: Path, arguments: dict[str, Any], found: str
) -> None:
    stack = new_stack()
    function(stack, RuleCode.from_folder(folder).in_stack(stack), **arguments)

    ((path, text),) = errors_of(stack)
    assert path == "/Mail/Users/Resource"
    assert text.startswith(
        f"found the function Mail/Users of {found}, with code packed for python3.13 on arm64; allowed: "
    )
    assert "in_stack(stack, runtime=…, architecture=…)" in text


def test_code_on_a_singleton_function_is_checked_too(folder: Path) -> None:
    stack = new_stack()
    code = RuleCode.from_folder(folder).in_stack(stack)
    SingletonFunction(stack, "One", uuid="1", code=code, handler="app.handler", runtime=Runtime.PYTHON_3_13)

    assert [text.split(";")[0] for _, text in errors_of(stack)] == [
        "found the function Mail/SingletonLambda1 of python3.13 on x86_64, with code packed for python3.13 on arm64"
    ]


@pytest.mark.parametrize("runtime", [Runtime.PYTHON_3_10, Runtime.NODEJS_22_X, Runtime.PROVIDED_AL2023])
def test_a_runtime_that_cannot_run_the_code_is_refused(folder: Path, runtime: Runtime) -> None:
    with pytest.raises(ValueError, match=rf"runtime: found {runtime.name}; a RuleCode runs under python3.11 and newer"):
        RuleCode.from_folder(folder).in_stack(new_stack(), runtime=runtime)


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"architecture: found riscv; allowed are arm64, x86_64"):
        RuleCode.from_folder(folder).in_stack(new_stack(), architecture=Architecture.custom("riscv"))


@pytest.mark.parametrize("version", [name for name in vars(Runtime) if re.fullmatch(r"PYTHON_3_1[1-9]", name)])
def test_every_python_of_cdk_can_be_packed_for(folder: Path, version: str) -> None:
    stack = new_stack()
    runtime = getattr(Runtime, version)
    function(stack, RuleCode.from_folder(folder).in_stack(stack, runtime=runtime), runtime=runtime)

    assert errors_of(stack) == []
