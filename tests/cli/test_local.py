"""`workmail-flow local` as it is typed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from workmail_constructs.cli.local import app
from workmail_local.server.client import ApiFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from workmail_local.testing.workmail_local import WorkMailLocal

    Run = Callable[..., Result]

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "local" / "handlers"


@pytest.fixture
def run(workmail_local: WorkMailLocal) -> Run:
    def run(*arguments: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, [*arguments, "--state", str(workmail_local.state)])
        assert done.exit_code == status, done.stderr + done.stdout
        return done

    return run


@pytest.fixture
def eml(tmp_path: Path) -> Path:
    path = tmp_path / "hello.eml"
    path.write_text("From: Ann <ann@other.test>\nTo: Bob <bob@example.com>, x@elsewhere.test\nSubject: hello\n\nhi\n")
    return path


def test_send_shows_who_got_what_and_why(workmail_local: WorkMailLocal, run: Run, eml: Path) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    sent = run("send", str(eml))
    assert "bob@example.com" in sent.stdout
    assert "DEFAULT" in sent.stdout
    assert "1 recipients are not the organization's and get nothing (E4)" in sent.stderr
    assert "hello" in run("messages").stdout


def test_json_stands_alone_and_holds_everything(
    workmail_local: WorkMailLocal, run: Run, eml: Path, tmp_path: Path
) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    sent = json.loads(run("send", str(eml), "--json", "--save", str(tmp_path / "out")).stdout)
    assert (sent["succeeded"], sent["recipients"][0]["action"]) == (True, "DEFAULT")
    assert "+Subject: [edited] hello" in sent["changes"][0]
    assert b"Subject: [edited] hello\r\n" in (tmp_path / "out" / "hello.eml").read_bytes()
    shown = json.loads(run("show", sent["id"][:8], "--json").stdout)
    assert shown["flows"][0]["event"]["subject"] == "hello"
    (logged,) = json.loads(run("logs", sent["id"], "--json").stdout)
    assert "edits 0" in logged["log"]
    assert "[edited]" in run("show", sent["id"]).stdout


def test_a_failed_invocation_is_exit_status_1(workmail_local: WorkMailLocal, run: Run, eml: Path) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    run("faults", "add", "crash", "--times", "1")
    failed = run("send", str(eml), status=1)
    assert "crashed" in failed.stdout
    assert "happened 1 times" in run("faults", "list").stdout
    # That nobody decided anything is seen in the list too.
    assert "fallback DEFAULT after 1 attempt: crashed" in " ".join(run("messages").stdout.split())
    run("send", str(eml))
    assert run("messages").stdout.split().count("fallback") == 1


@pytest.mark.fact("T2")
def test_who_waits_sees_the_id_and_each_failure_and_after_ctrl_c_how_to_go_on(
    workmail_local: WorkMailLocal, run: Run, eml: Path
) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", rule_timeout_minutes=240)
    run("faults", "add", "crash")
    command = [Path(sys.executable).with_name("workmail-flow"), "local", "send", eml, "--state", workmail_local.state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sending:
        assert sending.stderr is not None
        lines = [sending.stderr.readline() for _ in range(4)]
        sending.send_signal(signal.SIGINT)
        _, rest = sending.communicate(timeout=30)
    message_id = lines[1].split()[2]
    assert lines[1] == f"{eml}: message {message_id} is on its way\n"
    assert lines[2].startswith(f"{eml}: attempt 1 of rule rule: crashed after ")
    assert lines[3].startswith(f"{eml}: attempt 2 of rule rule: crashed after ")
    assert sending.returncode == 130
    assert f"wait on with `workmail-flow local wait {message_id[:8]}`" in rest
    assert "Traceback" not in rest
    run("faults", "clear")
    assert run("wait", message_id[:8]).stdout == ""


def test_a_fault_plan_is_a_file(workmail_local: WorkMailLocal, run: Run, eml: Path, tmp_path: Path) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    plan = tmp_path / "plan.yaml"
    plan.write_text("faults:\n  - throttle\n  - fault: timeout\n    times: 2\n")
    assert "throttle" in run("faults", "load", str(plan)).stdout
    run("send", str(eml), status=1)
    assert "No active faults" in run("faults", "clear").stdout
    plan.write_text("faults:\n  - {fault: rain}\n  - {fault: crash, times: 0, often: 1}\n")
    refused = run("faults", "load", str(plan), status=2).stderr
    assert "faults[0]: fault: found 'rain'; allowed are" in refused
    assert "faults[1]: often: unknown" in refused
    assert "times: found 0; allowed is a whole number from 1" in refused


def test_wait_and_replay_and_reset(workmail_local: WorkMailLocal, run: Run, eml: Path) -> None:
    message_id = run("send", str(eml), "--no-wait").stdout.strip()
    run("wait", message_id)
    run("wait")
    assert "replay of" in run("replay", message_id).stdout
    assert len(json.loads(run("messages", "--json").stdout)) == 2
    run("reset")
    assert "No messages yet" in run("messages").stdout


def test_logs_can_be_followed(workmail_local: WorkMailLocal, eml: Path) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    first = workmail_local.send(eml)
    command = [Path(sys.executable).with_name("workmail-flow"), "local", "logs", "--follow", "--json"]
    command += ["--state", workmail_local.state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        entries = [json.loads(following.stdout.readline())]
        workmail_local.add_fault("crash", times=1)
        second = workmail_local.send(eml)
        third = workmail_local.send(eml)
        entries += [json.loads(following.stdout.readline()) for _ in range(2)]
        following.send_signal(signal.SIGINT)
        rest, said = following.communicate(timeout=30)
    assert [entry["message"] for entry in entries] == [first.id, second.id, third.id]
    assert [("edits 0" in entry["log"]) for entry in entries] == [True, False, True]
    assert (following.returncode, rest, said) == (0, "", "")


def test_a_list_of_messages_is_short_and_moves_no_cursor(workmail_local: WorkMailLocal, run: Run) -> None:
    everyone = [f"user{number}@example.com" for number in range(100)]
    subject = "=?utf-8?q?red_=1B[31m?="
    workmail_local.send(f"From: ann@other.test\nSubject: {subject}\n\nhi\n".encode(), rcpt=everyone)
    listed = run("messages").stdout
    assert "and 95 more" in listed
    assert "user4@example.com" in listed
    assert "\x1b[31m" not in listed


def test_up_again_says_where_it_runs(workmail_local: WorkMailLocal, run: Run) -> None:
    again = json.loads(run("up", "--json").stdout)
    assert (again["started"], again["pid"]) == (False, workmail_local.daemon.pid)
    assert "It is already running" in run("up").stdout
    assert (workmail_local.state / ".gitignore").read_text() == "*\n"
    token = workmail_local.daemon.ready["token"]
    status = run("status").stdout
    assert "SMTP inbound" in status
    assert f"{workmail_local.daemon.ready['api']}/v1/status?token={token}" in status
    assert json.loads(run("status", "--json").stdout)["token"] == token


def test_what_up_cannot_change_is_said(workmail_local: WorkMailLocal, run: Run) -> None:
    smtp = workmail_local.daemon.ready["smtp"].rpartition(":")[2]
    assert run("up", "--smtp-port", smtp, "--time-scale", str(workmail_local.time_scale)).stderr == ""
    kept = run("up", "--smtp-port", "9", "--api-port", "0", "--region", "eu-west-1", "--time-scale", "7").stderr
    assert "--smtp-port 9, --region eu-west-1, --time-scale 7: to change them, run `workmail-flow local down`" in kept


@pytest.mark.parametrize(
    ("package", "command", "said"),
    [
        ("aiohttp", "local up -d", "the local WorkMail needs aiohttp: pip install 'workmail-constructs[local]'"),
        (
            "aiohttp",
            "try HANDLER --handler app.handler --message MESSAGE",
            "(no module named 'aiohttp'): pip install 'workmail-con",
        ),
        ("typer", "rules schema", "(no module named 'typer'): pip install 'workmail-constructs[cli]', or with the"),
    ],
)
def test_a_missing_extra_is_one_line_that_names_it(
    tmp_path: Path, eml: Path, package: str, command: str, said: str
) -> None:
    named = command.replace("HANDLER", str(HANDLERS / "replies")).replace("MESSAGE", str(eml))
    arguments = ["workmail-flow", *named.split()]
    code = f"import sys; sys.modules[{package!r}] = None; sys.argv = {arguments!r}"
    code += "; from workmail_constructs.cli import main; main()"
    environment = os.environ | {"WORKMAIL_LOCAL_STATE": str(tmp_path / "state")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert not (tmp_path / "state").exists()


def test_env_lets_the_aws_cli_and_boto3_in(workmail_local: WorkMailLocal, run: Run) -> None:
    script = f'{run("env").stdout}\nexec {sys.executable} -c "$0"'
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    shell = {"PATH": os.environ["PATH"], "AWS_PROFILE": "no-such-profile", "AWS_SESSION_TOKEN": "real"}
    said = subprocess.run(["sh", "-c", script, code], env=shell, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == workmail_local.daemon.ready["account"]


def test_what_a_stack_of_another_account_stored_can_be_read(workmail_local: WorkMailLocal, run: Run) -> None:
    account = "999999999999"
    role = f"arn:aws:iam::{account}:role/cdk-hnb659fds-deploy-role-{account}-us-east-1"
    assumed = workmail_local.client("sts").assume_role(RoleArn=role, RoleSessionName="deploy")["Credentials"]
    deploying = workmail_local.client("cloudformation", aws_access_key_id=assumed["AccessKeyId"])
    template = {"Resources": {"Kept": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "kept-elsewhere"}}}}
    with pytest.raises(ApiFailedError, match=f"found account {account}; stacks here are deployed to \\d{{12}}$"):
        workmail_local.client("s3", account=account)
    deploying.create_stack(StackName="Elsewhere", TemplateBody=json.dumps(template))
    workmail_local.daemon.client.post("/v1/deployments/reload")

    def buckets(**of: str) -> set[str]:
        return {bucket["Name"] for bucket in workmail_local.client("s3", **of).list_buckets()["Buckets"]}

    assert "kept-elsewhere" in buckets(account=account)
    assert "kept-elsewhere" not in buckets()
    key = json.loads(run("status", "--json").stdout)["accounts"][account]
    assert f"account         {account}: access key id {key}; see" in run("status").stdout
    assert f"export AWS_ACCESS_KEY_ID={key}" in run("env", "--account", account).stdout
    deploying.delete_stack(StackName="Elsewhere")
    workmail_local.daemon.client.post("/v1/deployments/reload")
    assert account not in run("status").stdout


def test_a_taken_port_and_a_state_that_is_no_folder_are_reported_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        in_use = CliRunner().invoke(app, ["up", "-d", "--state", str(tmp_path / "state"), "--smtp-port", str(port)])
    assert in_use.exit_code == 1
    assert f"Address already in use (while attempting to bind on address ('127.0.0.1', {port}))" in in_use.stderr
    assert "Traceback" not in in_use.stderr
    (tmp_path / "file").touch()
    no_folder = CliRunner().invoke(app, ["up", "-d", "--state", str(tmp_path / "file")])
    assert no_folder.exit_code == 1
    assert f"{tmp_path / 'file'} cannot be the state folder: File exists" in no_folder.stderr


@pytest.mark.parametrize("left", ["", "[]", "{}", '{"api": 7}', '{"api": "http://127.0.0.1:9", "pid": 1}'])
def test_any_daemon_json_that_is_left_behind_counts_for_nothing(tmp_path: Path, left: str) -> None:
    (tmp_path / "daemon.json").write_text(left)
    found = CliRunner().invoke(app, ["status", "--state", str(tmp_path)])
    assert (found.exit_code, found.exception.__class__) == (1, SystemExit)
    assert f"no local WorkMail runs with the state folder {tmp_path}: start it with" in found.stderr


@pytest.mark.fact("L1")
def test_only_workmails_regions(run: Run) -> None:
    refused = run("up", "--region", "eu-central-1", status=2)
    assert "found 'eu-central-1'; WorkMail exists in eu-west-1, us-east-1, us-west-2 (L1)" in refused.stderr


def test_what_is_not_running_says_how_to_start_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["messages", "--state", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"start it with `workmail-flow local up --state {tmp_path}`" in done.stderr
