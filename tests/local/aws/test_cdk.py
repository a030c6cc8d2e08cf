from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from workmail_local.aws.cdk import (
    INSTALL_CLI,
    CdkApp,
    CdkError,
    SynthesizedStack,
    find_cdk_cli,
    selected_stacks,
    synthesized_stacks,
)


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_projects_own_cdk_cli_comes_before_the_paths(tmp_path: Path) -> None:
    app, path = tmp_path / "project" / "app", str(tmp_path / "bin")
    app.mkdir(parents=True)
    with pytest.raises(CdkError, match=r"Node\.js.*was not found on PATH"):
        find_cdk_cli(app, path)
    executable(tmp_path / "bin" / "node")
    with pytest.raises(CdkError, match=r"run npm install --save-dev aws-cdk@\^2\.\d+\.\d+ there"):
        find_cdk_cli(app, path)
    on_path = executable(tmp_path / "bin" / "cdk")
    assert find_cdk_cli(app, path) == str(on_path)
    own = executable(tmp_path / "project" / "node_modules" / ".bin" / "cdk")
    assert find_cdk_cli(app, path) == str(own)


def test_the_pages_name_the_cdk_cli_that_the_messages_name() -> None:
    root = Path(__file__).parents[3]
    developed = json.loads((root / "package.json").read_text())["devDependencies"]["aws-cdk"]
    assert f"npm install --save-dev aws-cdk@^{developed}" == INSTALL_CLI
    for page in ("README.md", "docs/installing.md"):
        assert INSTALL_CLI in (root / page).read_text()


@pytest.mark.parametrize(
    ("package", "found"),
    [
        ('{"name": "aws-cdk", "version": "3.0.0"}', "3.0.0"),
        ('{"name": "aws-cdk", "version": "2.178.2"}', "2.178.2"),
        ('{"name": "aws-cdk", "version": "1.204.0-rc.1"}', "1.204.0"),
    ],
)
def test_a_cdk_cli_that_cannot_work_is_known_by_its_version(tmp_path: Path, package: str, found: str) -> None:
    executable(tmp_path / "bin" / "node")
    modules = tmp_path / "node_modules"
    real = executable(modules / "aws-cdk" / "bin" / "cdk")
    (modules / "aws-cdk" / "package.json").write_text(package)
    (modules / ".bin").mkdir()
    (modules / ".bin" / "cdk").symlink_to(real)
    with pytest.raises(
        CdkError, match=rf"cdk has version {re.escape(found)}; needed is 2\.1147\.0 or newer .* run npm"
    ):
        find_cdk_cli(tmp_path, str(tmp_path / "bin"))


@pytest.mark.parametrize(
    "package",
    [
        '{"name": "aws-cdk", "version": "2.1147.0"}',
        '{"name": "aws-cdk", "version": "2.2000.1"}',
        '{"name": "a-wrapper", "version": "0.1.0"}',
        '{"name": "aws-cdk"}',
        "not JSON",
    ],
)
def test_a_cdk_cli_of_a_later_or_unknown_version_is_taken(tmp_path: Path, package: str) -> None:
    executable(tmp_path / "bin" / "node")
    cli = executable(tmp_path / "bin" / "cdk")
    (tmp_path / "package.json").write_text(package)
    assert find_cdk_cli(tmp_path, str(tmp_path / "bin")) == str(cli)


@pytest.mark.parametrize(
    ("settings", "said"),
    [('{"app": "python3 app.py",}', r"cdk\.json: not JSON \("), ("[]", "found list; allowed is an")],
)
def test_a_broken_cdk_json_is_named(tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "cdk.json").write_text(settings)
    with pytest.raises(CdkError, match=said):
        CdkApp.find(str(tmp_path), output=tmp_path / "out")


def test_an_app_is_a_folder_an_assembly_or_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out"
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "cdk.json").write_text("{}")
    (tmp_path / "assembly").mkdir()
    (tmp_path / "assembly" / "manifest.json").write_text("{}")
    found = CdkApp.find(str(tmp_path / "app"), output=output)
    assert (found.folder, found.command, found.assembly) == (tmp_path / "app", None, output)
    found = CdkApp.find(str(tmp_path / "assembly"), output=output)
    assert (found.command, found.assembly) == (str(tmp_path / "assembly"), tmp_path / "assembly")
    monkeypatch.chdir(tmp_path)
    assert CdkApp.find("python3 app.py", output=output).command == "python3 app.py"


@pytest.mark.parametrize(("app", "message"), [(None, "holds neither a cdk.json nor"), ("x", "there is no such folder")])
def test_what_is_no_app_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CdkError, match=message):
        CdkApp.find(app, output=tmp_path / "out")


def test_stacks_of_an_assembly_with_stages(tmp_path: Path) -> None:
    def stack(name: str, environment: str, *dependencies: str) -> dict[str, object]:
        return {
            "type": "aws:cloudformation:stack",
            "environment": environment,
            "displayName": name,
            "properties": {"templateFile": "t.json", "stackName": name.replace("/", "-")},
            "dependencies": list(dependencies),
        }

    stage = tmp_path / "assembly-Stage"
    stage.mkdir()
    for folder in (tmp_path, stage):
        (folder / "t.json").write_text('{"Resources": {}}')
    (stage / "manifest.json").write_text(
        json.dumps({"artifacts": {"StageRule": stack("Stage/Rule", "aws://999999999999/eu-west-1")}})
    )
    artifacts = {
        "Tree": {"type": "cdk:tree"},
        "assembly-Stage": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Stage"}},
        "Base": stack("Base", "aws://unknown-account/unknown-region"),
        "Rules": stack("Rules", "aws://unknown-account/us-west-2", "Base", "Rules.assets"),
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    stacks = synthesized_stacks(tmp_path)
    assert [(found.identifier, found.name, found.region) for found in stacks] == [
        ("Stage/Rule", "Stage-Rule", "eu-west-1"),
        ("Base", "Base", None),
        ("Rules", "Rules", "us-west-2"),
    ]

    def select(*patterns: str, with_dependencies: bool = True) -> list[str]:
        found: tuple[SynthesizedStack, ...] = selected_stacks(stacks, patterns, with_dependencies=with_dependencies)
        return [stack.name for stack in found]

    assert select() == ["Stage-Rule", "Base", "Rules"]
    assert select("Rules") == ["Base", "Rules"]
    assert select("Rules", with_dependencies=False) == ["Rules"]
    assert select("Stage/*") == ["Stage-Rule"]
    assert select("Nothing") == []
