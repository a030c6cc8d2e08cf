from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from workmail_local.aws.cdk import (
    CdkApp,
    CdkError,
    SynthesizedStack,
    find_cdk_cli,
    selected_stacks,
    synthesized_stacks,
)
from workmail_local.loopback import NotLoopbackError, local_environment, require_loopback

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("url", ["http://localhost:4566", "http://127.0.0.1:1", "http://127.8.8.8:1", "http://[::1]:1"])
def test_loopback_endpoints_are_taken(url: str) -> None:
    require_loopback(url, source="a test")


@pytest.mark.parametrize(
    "url",
    [
        *["https://workmail.us-east-1.amazonaws.com", "http://192.168.1.2:4566", "http://localhost.example.com"],
        *["http://example.com/localhost", "http://localhost@example.com", "http://0.0.0.0:4566", "localhost:4566", ""],
    ],
)
def test_every_other_endpoint_is_refused(url: str) -> None:
    with pytest.raises(NotLoopbackError, match="which is not on this machine"):
        require_loopback(url, source="a test")


def test_nothing_of_the_shells_account_is_left() -> None:
    shell = {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "AWS_PROFILE": "production",
        "AWS_DEFAULT_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ROLE_ARN": "real",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "real",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "real",
        "AWS_CONFIG_FILE": "real",
        "AWS_SHARED_CREDENTIALS_FILE": "real",
        "AWS_CA_BUNDLE": "real",
        "AWS_ENDPOINT_URL_S3": "http://localhost:1",
        "AWS_REGION": "ap-south-1",
        "CDK_DEFAULT_ACCOUNT": "999999999999",
        "CDK_DEFAULT_REGION": "ap-south-1",
        "NO_PROXY": "internal",
    }
    found = local_environment(shell, endpoint="http://localhost:4566", region="eu-west-1")
    assert found == {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "AWS_ACCESS_KEY_ID": "AKIALOCALWORKMAIL000",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://localhost:4566",
        "AWS_REGION": "eu-west-1",
        "NO_PROXY": "internal,localhost,127.0.0.1",
        "no_proxy": "internal,localhost,127.0.0.1",
    }


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
    with pytest.raises(CdkError, match="run npm install --save-dev aws-cdk there"):
        find_cdk_cli(app, path)
    on_path = executable(tmp_path / "bin" / "cdk")
    assert find_cdk_cli(app, path) == str(on_path)
    own = executable(tmp_path / "project" / "node_modules" / ".bin" / "cdk")
    assert find_cdk_cli(app, path) == str(own)


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
    for app, message in ((None, "holds neither a cdk.json nor"), ("nothing", "there is no such folder")):
        with pytest.raises(CdkError, match=message):
            CdkApp.find(app, output=output)


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
