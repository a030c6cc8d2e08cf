"""`workmail-flow local deploy | diff | destroy` with the real CDK CLI on an app of plain CDK."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.aws.conftest import LocalAws

pytestmark = pytest.mark.xdist_group("aws")

APP = Path(__file__).parent / "plain_app"


class Daemon(HTTPServer):
    """Stands in for the local WorkMail's API, and counts reloads."""

    reloads = 0


class Api(BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"pid": os.getpid()}).encode())

    def do_POST(self) -> None:
        assert self.path == "/v1/deployments/reload"
        self.server.reloads += 1
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def daemon(aws: LocalAws) -> Iterator[Daemon]:
    with Daemon(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready = {"aws_endpoint": aws.url, "region": "us-east-1", "pid": os.getpid(), "token": "token"}
        ready["aws_access_key_id"] = aws.keys.developer
        ready["api"] = f"http://127.0.0.1:{server.server_port}"
        (aws.state / "daemon.json").write_text(json.dumps(ready))
        yield server
        server.shutdown()


def run(aws: LocalAws, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from workmail_constructs.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "local", *arguments, "--state", str(aws.state)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def edited(assembly: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    """A cloud assembly as the app would synthesize it with another template; saves the time of running the app."""
    shutil.copytree(assembly, folder)
    path = folder / "Plain.template.json"
    template = json.loads(path.read_text())
    edit(template)
    path.write_text(json.dumps(template))
    files = json.loads((folder / "Plain.assets.json").read_text())["files"]
    (former,) = (key for key, file in files.items() if file["source"]["path"] == path.name)
    for name in ("manifest.json", "Plain.assets.json"):
        current = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / name).write_text((folder / name).read_text().replace(former, current))
    return str(folder)


def test_deploy_update_no_change_failure_diff_destroy(aws: LocalAws, daemon: Daemon, tmp_path: Path) -> None:
    # What the shell has must not matter: neither its profile nor its keys exist.
    shell = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/real",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/file",
        "CDK_DEFAULT_ACCOUNT": "999999999999",
    }
    first = run(aws, "deploy", "--app", str(APP), "--json", **shell)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    (stack,) = report["stacks"]
    assert (stack["stack"], stack["status"], stack["account"], stack["region"]) == (
        "Plain",
        "created",
        "123456789012",
        "us-east-1",
    )
    assert stack["dataOnly"] == ["ErrorsFA5270DE (AWS::CloudWatch::Alarm)"]
    assert stack["outputs"]["AliasArn"].endswith(":live")
    assert stack["outputs"]["AliasArn"] in stack["functions"]
    assert report["problems"] == []
    assert "Plain: deploying" in first.stderr
    assert daemon.reloads == 1
    live = aws.deployment("Plain").functions[stack["outputs"]["AliasArn"]]
    assert live.code.is_file()
    assert live.environment == {"GREETING": "hello", "BUCKET": aws.resources("Plain")["Messages804FA4EB"]}
    assert live.on_failure_arn is None  # set for the function itself, not for its alias
    unqualified = aws.deployment("Plain").functions[live.arn.removesuffix(":live")]
    assert unqualified.on_failure_arn is not None
    assert unqualified.max_retries == 1

    assembly = aws.state / "cdk.out"
    assert [path for path in (assembly, *assembly.rglob("*")) if path.stat().st_mode & 0o077] == []
    same = run(aws, "deploy", "--all", "--app", str(assembly))
    assert same.returncode == 0, same.stderr
    assert "(no changes)" in same.stderr
    assert "Plain: unchanged in us-east-1; as in the template: resources 14, email flow rules 0" in same.stdout
    assert "  kept as data only: ErrorsFA5270DE (AWS::CloudWatch::Alarm)" in same.stdout

    # A synth that fails leaves nothing of the app before it that could pass for its own.
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / "cdk.json").write_text('{"app": "false"}')
    (tmp_path / "failing" / "node_modules").symlink_to(Path(__file__).parents[2] / "node_modules")
    kept = tmp_path / "kept"
    shutil.copytree(assembly, kept)
    failed = run(aws, "deploy", "--app", str(tmp_path / "failing"))
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "The app was not synthesized; see the output of the CDK CLI above" in failed.stderr
    assembly = kept

    def greet(template: dict[str, Any]) -> None:
        template["Resources"]["Function76856677"]["Properties"]["Environment"]["Variables"]["GREETING"] = "moin"

    def break_it(template: dict[str, Any]) -> None:
        broken = {"FunctionName": "no-such-function", "FunctionVersion": "1", "Name": "broken"}
        template["Resources"]["Broken"] = {"Type": "AWS::Lambda::Alias", "Properties": broken}

    changed = edited(assembly, tmp_path / "changed", greet)
    diff = run(aws, "diff", "--app", changed, "--json")
    assert diff.returncode == 0, diff.stderr
    assert "[+] moin" in diff.stderr
    changes = {"stack": "Plain", "added": [], "removed": [], "changed": ["Function76856677"]}
    assert json.loads(diff.stdout) == {"stacks": [changes]}

    updated = run(aws, "deploy", "--app", changed, "--method", "direct")
    assert updated.returncode == 0, updated.stderr
    assert "Plain: updated" in updated.stdout
    again = aws.deployment("Plain").functions[unqualified.arn]
    assert again.environment["GREETING"] == "moin"

    broken = run(aws, "deploy", "--app", edited(assembly, tmp_path / "broken", break_it))
    assert broken.returncode == 1
    assert broken.stdout == ""
    assert "Function not found" in broken.stderr
    assert "Not deployed: Plain lacks Broken (AWS::Lambda::Alias)" in broken.stderr
    assert aws.deployment("Plain").functions[unqualified.arn].environment["GREETING"] == "moin"

    aws.client("s3").put_object(Bucket=live.environment["BUCKET"], Key="left", Body=b"x")
    destroyed = run(aws, "destroy", "--app", changed, "--json")
    assert destroyed.returncode == 0, destroyed.stderr
    assert json.loads(destroyed.stdout) == {"destroyed": ["Plain"], "left": []}
    assert not list(aws.state.glob("deployments/Plain.*"))


def test_all_stacks_or_some_but_not_both(aws: LocalAws) -> None:
    for command in ("deploy", "diff", "destroy"):
        both = run(aws, command, "Plain", "--all")
        assert (both.returncode, both.stderr) == (2, "--all: found Plain as well; give names of stacks, or --all\n")


def test_an_endpoint_elsewhere_is_refused(aws: LocalAws, daemon: Daemon) -> None:
    refused = run(aws, "deploy", "--app", str(APP), AWS_ENDPOINT_URL_S3="https://s3.us-east-1.amazonaws.com")
    assert refused.returncode == 1
    assert "the environment variable AWS_ENDPOINT_URL_S3 is https://s3.us-east-1.amazonaws.com" in refused.stderr
    ready = json.loads((aws.state / "daemon.json").read_text())
    (aws.state / "daemon.json").write_text(json.dumps(ready | {"aws_endpoint": "https://192.0.2.1"}))
    refused = run(aws, "deploy", "--app", str(APP))
    assert refused.returncode == 1
    assert "the AWS endpoint is https://192.0.2.1, which is not on this machine" in refused.stderr
    assert daemon.reloads == 0


def test_without_a_local_workmail_it_says_how_to_start_one(aws: LocalAws) -> None:
    (aws.state / "daemon.json").unlink(missing_ok=True)
    refused = run(aws, "deploy", "--app", str(APP))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"no local WorkMail runs with the state folder {aws.state}: "
        f"start it with `workmail-flow local up --state {aws.state}`\n"
    )
