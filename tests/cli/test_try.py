"""`workmail-flow try`, as a user runs it."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from workmail_constructs.cli import try_

HELLO_WORLD = Path(__file__).parents[2] / "examples" / "hello_world"
MESSAGE = (
    b"Return-Path: <bounces@example.org>\r\nFrom: Ann <ann@example.org>\r\n"
    b"To: bob@example.com, Eve <eve@example.com>\r\nCc: bob@example.com\r\nSubject: Hello\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
)
BARE = b"X-Nothing: at all\r\n\r\nbody\r\n"

# As the WorkMail Administrator Guide shows it: clients at import, plain dict in and out.
GUIDE_STYLE = """
    import email, os, uuid
    from email import policy
    import boto3

    workmail_message_flow = boto3.client("workmailmessageflow")
    s3 = boto3.client("s3")

    def handler(event, context):
        message_id = event["messageId"]
        raw = workmail_message_flow.get_raw_message_content(messageId=message_id)["messageContent"].read()
        parsed = email.message_from_bytes(raw, policy=policy.SMTP)
        parsed.replace_header("Subject", "[external] " + parsed["Subject"])
        key = str(uuid.uuid4())
        s3.put_object(Body=parsed.as_bytes(), Bucket=os.environ["UPDATED_EMAIL_BUCKET"], Key=key)
        workmail_message_flow.put_raw_message_content(
            messageId=message_id,
            content={"s3Reference": {"bucket": os.environ["UPDATED_EMAIL_BUCKET"], "key": key}},
        )
        return {"actions": [{"allRecipients": "true", "action": {"type": "DEFAULT"}}]}
"""
DEFAULT = 'def handler(event, context): return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def message(tmp_path: Path) -> Path:
    return write(tmp_path / "mail" / "hello.eml", MESSAGE)


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
    return path


def folder_of(tmp_path: Path, app: str, **files: str) -> Path:
    for name, content in {"app.py": app, **{name.replace("__", "."): text for name, text in files.items()}}.items():
        write(tmp_path / "handler" / name, content)
    return tmp_path / "handler"


def run(*arguments: object) -> Result:
    app = typer.Typer()
    try_.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["try", *map(str, arguments)])


def trials(*arguments: object, status: int = 0) -> list[dict[str, Any]]:
    result = run(*arguments, "--json")
    assert result.exit_code == status, result.output
    documents: list[dict[str, Any]] = json.loads(result.stdout)
    return documents


def test_the_example_as_people_see_it(tmp_path: Path) -> None:
    messages = HELLO_WORLD / "messages"
    result = run(
        *(HELLO_WORLD / "handler", "--handler", "app.handler", "--out", tmp_path / "out"),
        *("--message", messages / "plain.eml", "--message", messages / "attachment.eml"),
    )
    assert result.exit_code == 0, result.output
    assert "no-reply@example.com  DROP: $.actions[0] names the recipient (R1)" in result.stdout
    assert "bounce message: We take no programs by mail." in result.stdout
    assert "content: not updated" in result.stdout
    assert "attachment.eml, though nobody gets it" in result.stdout
    for name in ("plain.eml", "attachment.eml"):
        assert (tmp_path / "out" / name).read_bytes() == (messages / name).read_bytes()


@pytest.mark.fact("R12", "C1", "C4", "R4")
def test_a_handler_as_the_guide_shows_runs_unchanged(tmp_path: Path, message: Path) -> None:
    folder = folder_of(tmp_path, GUIDE_STYLE)
    (trial,) = trials(
        *(folder, "--handler", "app.handler", "--message", message, "--out", tmp_path / "out"),
        *("--env", "UPDATED_EMAIL_BUCKET=my-bucket"),
    )
    assert trial["message"] == str(message)
    assert trial["invocation"]["outcome"] == "REPLIED"
    assert trial["invocation"]["error"] is None
    assert trial["event"]["envelope"] == {
        "mailFrom": {"address": "bounces@example.org"},
        "recipients": [{"address": "bob@example.com"}, {"address": "eve@example.com"}],
    }
    assert [(one["recipient"], one["action"]) for one in trial["decisions"]] == [
        ("bob@example.com", "DEFAULT"),
        ("eve@example.com", "DEFAULT"),
    ]
    assert [(one["code"], one["path"]) for one in trial["findings"]] == [
        ("string-boolean", "$.actions[0].allRecipients")
    ]
    assert trial["content"]["updated"] is True
    assert "-Subject: Hello\n+Subject: [external] Hello" in trial["content"]["diff"]
    assert (tmp_path / "out" / "hello.eml").read_bytes() == MESSAGE.replace(b": Hello", b": [external] Hello")


@pytest.mark.fact("R10", "T4", "C4")
def test_an_asynchronous_handler_decides_and_updates_nothing(tmp_path: Path, message: Path) -> None:
    folder = folder_of(tmp_path, GUIDE_STYLE.replace("return {", "return None and {"))
    arguments = (folder, "--handler", "app.handler", "--message", message, "--env", "UPDATED_EMAIL_BUCKET=my-bucket")
    (trial,) = trials(*arguments, "--run", "asynchronous", "--out", tmp_path / "out")
    assert {one["action"] for one in trial["decisions"]} == {"DEFAULT"}
    assert trial["content"]["updated"] is False
    assert (tmp_path / "out" / "hello.eml").read_bytes() == MESSAGE
    (trial,) = trials(*arguments, status=1)
    assert trial["errors"][0]["code"] == "not-an-object"
    assert trial["findings"][0]["code"] == "hint"


def test_other_calls_to_aws_find_what_was_put_before(tmp_path: Path, message: Path) -> None:
    folder = folder_of(
        tmp_path,
        """
        import boto3
        def handler(event, context):
            s3 = boto3.client("s3")
            s3.put_object(Bucket="first-used", Key="a b", Body=b"kept", ContentType="text/x-test")
            assert s3.get_object(Bucket="first-used", Key="a b")["Body"].read() == b"kept"
            listed = s3.list_objects_v2(Bucket="first-used")["Contents"]
            again = s3.get_object(Bucket="first-used", Key="a b")
            queue = boto3.client("sqs").create_queue(QueueName="q")["QueueUrl"]
            print([one["Key"] for one in listed], again["Body"].read(), again["ContentType"], bool(queue))
            return {"actions": []}
        """,
    )
    (trial,) = trials(folder, "--handler", "app.handler", "--message", message)
    assert trial["log"] == "['a b'] b'kept' text/x-test True\n", trial


@pytest.mark.fact("T2", "E7")
def test_the_start_of_the_local_aws_is_not_the_handlers_time(
    tmp_path: Path, message: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workmail_local.trial.handler_trials.SYNCHRONOUS_LIMIT_SECONDS", 2)
    folder = folder_of(
        tmp_path,
        """
        import os, pathlib, time
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            invocations = pathlib.Path(os.environ["FOLDER"])
            (invocations / context.aws_request_id).write_text(event["invocationId"])
            if len(list(invocations.iterdir())) == 1:
                s3.list_objects_v2(Bucket="some-bucket")
                time.sleep(60)
            return {"actions": []}
        """,
    )
    (tmp_path / "invocations").mkdir()
    (trial,) = trials(
        folder, "--handler", "app.handler", "--message", message, "--env", f"FOLDER={tmp_path / 'invocations'}"
    )
    assert trial["ok"]
    seen = [path.read_text() for path in (tmp_path / "invocations").iterdir()]
    assert seen == [trial["event"]["invocationId"]] * 2


@pytest.mark.parametrize(
    ("app", "outcome", "codes"),
    [
        ("def handler(event, context): raise RuntimeError('no')", "FUNCTION_ERROR", []),
        ("def handler(event, context): ...\nraise RuntimeError", "INIT_ERROR", []),
        ("import nowhere\ndef handler(event, context): ...", "INIT_ERROR", []),
        ("import os\ndef handler(event, context): os._exit(1)", "CRASHED", []),
        ("def handler(event, context): return {'actions': 'DEFAULT'}", "REPLIED", ["no-actions"]),
        ("def handler(event, context): return b'{'", "REPLIED", ["not-json"]),
    ],
)
@pytest.mark.fact("R8")
def test_a_failed_invocation_is_reported_and_ends_with_status_1(
    tmp_path: Path, message: Path, app: str, outcome: str, codes: list[str]
) -> None:
    (trial,) = trials(folder_of(tmp_path, app), "--handler", "app.handler", "--message", message, status=1)
    assert trial["ok"] is False
    assert trial["invocation"]["outcome"] == outcome
    assert (trial["invocation"]["error"] is None) is (outcome == "REPLIED")
    assert [one["code"] for one in trial["errors"]] == codes
    assert trial["decisions"] == []


def test_one_failure_among_several_messages_is_enough(tmp_path: Path, message: Path) -> None:
    other = write(tmp_path / "mail" / "other.eml", MESSAGE.replace(b"Hello", b"Other"))
    folder = folder_of(
        tmp_path, "def handler(event, context):\n  assert event['subject'] == 'Other'\n  return {'actions': []}"
    )
    failed, good = trials(folder, "--handler", "app.handler", "--message", message, "--message", other, status=1)
    assert (failed["ok"], good["ok"]) == (False, True)
    assert [one["action"] for one in good["decisions"]] == ["DEFAULT", "DEFAULT"]


def test_requirements_and_the_runtime_are_there_as_in_the_deployed_code(
    tmp_path: Path, message: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "package"
    write(package / "pyproject.toml", '[project]\nname = "wanted"\nversion = "1"\n')
    write(package / "wanted.py", "WORD = 'installed'\n")
    folder = folder_of(
        tmp_path,
        "import wanted, workmail_flow, workmail_runtime\nprint(wanted.WORD)\n" + DEFAULT,
        requirements__txt="../package\n",
    )
    (trial,) = trials("handler", "--handler", "app.handler", "--message", message)
    assert trial["log"] == "installed\n"
    assert sorted(path.name for path in folder.iterdir()) == ["app.py", "requirements.txt"]


def test_a_local_project_and_included_code_are_taken_as_they_are_now(tmp_path: Path, message: Path) -> None:
    package, shared = tmp_path / "package", tmp_path / "shared"
    write(package / "pyproject.toml", '[project]\nname = "wanted"\nversion = "1"\n')
    folder = folder_of(
        tmp_path,
        "import shared, wanted\nprint(wanted.WORD, shared.WORD)\n" + DEFAULT,
        pyproject__toml='[project]\nname = "rule"\nversion = "1"\ndependencies = ["wanted"]\n'
        '[tool.uv.sources]\nwanted = { path = "../package" }\n',
    )
    for word in ("first", "second"):
        write(package / "wanted.py", f"WORD = {word!r}\n")
        write(shared / "__init__.py", f"WORD = 'shared {word}'\n")
        (trial,) = trials(folder, "--handler", "app.handler", "--message", message, "--include", shared)
        assert trial["log"] == f"{word} shared {word}\n"


def test_included_code_that_does_not_exist_is_refused(tmp_path: Path, message: Path) -> None:
    folder = folder_of(tmp_path, DEFAULT)
    result = run(folder, "--handler", "app.handler", "--message", message, "--include", tmp_path / "gone")
    assert result.exit_code == 2
    assert f"--include: found {tmp_path / 'gone'}, which does not exist" in result.stderr


def test_requirements_that_cannot_be_installed_end_with_the_output_of_uv(tmp_path: Path, message: Path) -> None:
    folder = folder_of(tmp_path, DEFAULT, requirements__txt="./not-there\n")
    result = run(folder, "--handler", "app.handler", "--message", message)
    assert result.exit_code == 1
    assert "requirements.txt: uv could not install it" in result.stderr


@pytest.mark.fact("E1", "R2")
def test_the_envelope_and_the_direction_can_be_given(tmp_path: Path) -> None:
    bare = write(tmp_path / "bare.eml", BARE)
    folder = folder_of(tmp_path, DEFAULT)
    (trial,) = trials(folder, "--handler", "app.handler", "--message", bare)
    assert trial["event"]["envelope"]["mailFrom"]["address"] == "sender@sender.example"
    assert trial["event"]["envelope"]["recipients"] == [{"address": "recipient@example.com"}]
    (trial,) = trials(
        *(folder, "--handler", "app.handler", "--message", bare, "--direction", "outbound"),
        *("--mail-from", "me@example.com", "--rcpt", "one@example.net", "--rcpt", "two@example.net"),
    )
    assert trial["event"]["flowDirection"] == "OUTBOUND"
    assert trial["event"]["envelope"]["mailFrom"]["address"] == "me@example.com"
    assert [one["recipient"] for one in trial["decisions"]] == ["one@example.net", "two@example.net"]


def test_every_wrong_argument_is_reported_before_anything_starts(tmp_path: Path, message: Path) -> None:
    folder = folder_of(tmp_path, DEFAULT)
    result = run(
        *(folder, "--handler", "app.handle", "--direction", "up", "--run", "later", "--env", "NAME", "--env", "1=2"),
        *("--env", "AWS_REGION=eu-west-1", "--message", message, "--message", tmp_path / "none.eml"),
        *("--message", write(tmp_path / "empty.eml", b"\n"), "--mail-from", "me", "--rcpt", "a b@example.com"),
        *("--out", message.parent),
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    for part in (
        "app.py has no 'handle'; it has handler",
        "--direction: found 'up'",
        "--run: found 'later'",
        "--env: found 'NAME'",
        "--env: found '1=2'",
        "--env: AWS_REGION is reserved by Lambda",
        "none.eml cannot be read: No such file",
        "empty.eml is empty",
        "--mail-from: found 'me'",
        "--rcpt: found 'a b@example.com'",
        "hello.eml is the message itself",
    ):
        assert part in result.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("handler", "allowed is MODULE.FUNCTION"),
        ("other.handler", "needs other.py, which"),
        ("app.missing", "has no 'missing'"),
        ("broken.handler", "broken.py has a syntax error in line 1: expected ':'"),
    ],
)
def test_a_handler_that_is_not_there(tmp_path: Path, message: Path, handler: str, said: str) -> None:
    folder = folder_of(tmp_path, DEFAULT)
    (folder / "broken.py").write_text("def handler(event, context)")
    result = run(folder, "--handler", handler, "--message", message)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_folder_that_is_not_there(tmp_path: Path, message: Path) -> None:
    result = run(tmp_path / "nowhere", "--handler", "app.handler", "--message", message)
    assert result.exit_code == 2
    assert "nowhere, which does not exist" in result.stderr


@pytest.mark.parametrize(
    "app",
    [
        "def _make(): return lambda event, context: {'actions': []}\nhandler = _make()",
        "from inner import handler",
        "from inner import *",
        "try:\n  from inner import handler\nexcept ImportError:\n  handler = None",
    ],
)
def test_handlers_are_found_however_they_are_bound(tmp_path: Path, message: Path, app: str) -> None:
    folder = folder_of(tmp_path, app, inner__py="def handler(event, context): return {'actions': []}")
    assert run(folder, "--handler", "app.handler", "--message", message).exit_code == 0


def test_the_documentation_shows_true_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = HELLO_WORLD.parents[1]
    shown = (root / "docs" / "try.md").read_text(encoding="utf-8").partition("```console\n$ ")[2].partition("```")[0]
    command, _, output = shown.replace("\\\n", " ").partition("\n")
    monkeypatch.chdir(root)
    arguments = [tmp_path / "edited" if word == "edited" else word for word in shlex.split(command)]
    result = run(*arguments[2:])
    assert result.exit_code == 0
    assert _without_chance(result.stdout.replace(f"{tmp_path}/", "")) == _without_chance(output)


def test_the_readme_shows_true_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = HELLO_WORLD.parents[1]
    _, _, text = (root / "README.md").read_text(encoding="utf-8").partition("\nworkmail-flow try ")
    command, shown = text.partition("```")[0], text.split("```")[2].strip("\n")
    monkeypatch.chdir(root)
    words = shlex.split(command.replace("\\\n", " "))
    result = run(*(tmp_path / "edited" if word == "edited" else word for word in words))
    assert result.exit_code == 0
    assert _without_chance(shown) in _without_chance(result.stdout)


def _without_chance(output: str) -> str:
    """Leave out what differs from run to run: ids, marks made of them, and times."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|\d+ ms", "#", output).strip()


FRAMEWORK_APP = Path(__file__).parents[1] / "local" / "steps" / "framework_app"


def test_the_steps_of_an_apps_rule_run_without_a_deployment(message: Path) -> None:
    first, second = trials(FRAMEWORK_APP, "--rule", "Inbound", *["--message", message] * 2, status=1)
    assert [(each["step"], each["result"]) for each in first["steps"]] == [
        ("Banner", "DONE"),
        ("Charge", "DONE"),
        ("Late", "FAILED"),
    ]
    assert first["invocation"]["error"] == {"type": "StepError", "message": "the first attempt fails"}
    assert [each["result"] for each in second["steps"]] == ["DONE"] * 4
    assert second["steps"][1]["notes"] == ["charged as number 2"]
    assert "+From outside." in second["content"]["diff"]


RULE = {
    "name": "Inbound",
    "direction": "inbound",
    "action": "RUN_LAMBDA",
    "senders": ["*"],
    "destinations": ["*"],
    "function": {"Fn::GetAtt": ["Function", "Arn"]},
    "synchronous": True,
    "fallback": "DEFAULT",
    "ruleTimeoutMinutes": 0,
}


def synthesized_app(folder: Path) -> Path:
    organization = {
        "organizationId": "m-0123456789abcdef0123456789abcdef",
        "organizationArn": "arn",
        "domains": [],
        "rules": [RULE],
    }
    template = {"Metadata": {"WorkMailEmailFlow": {"version": 1, "organizations": [organization]}}}
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "t.json"},
    }
    write(folder / "manifest.json", json.dumps({"artifacts": {"Mail": stack}}))
    write(folder / "t.json", json.dumps(template))
    return folder


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--rule", "Other"], "--rule: found 'Other'; the app has Inbound"),
        (["--rule", "Inbound"], "--rule: the stack Mail does not make the function of Inbound"),
        (["--rule", "Inbound", "--handler", "app.handler"], "--handler: found beside --rule; the rule says it"),
        ([], "--handler: found none; name it, or a rule of an app with --rule"),
    ],
)
def test_a_rule_that_cannot_be_tried_is_refused(
    message: Path, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    result = run(synthesized_app(tmp_path / "app"), *arguments, "--message", message)
    assert (result.exit_code, problem in result.stderr) == (2, True), result.stderr


def test_an_app_that_cannot_be_synthesized_ends_with_its_output(message: Path, tmp_path: Path) -> None:
    write(tmp_path / "app" / "cdk.json", json.dumps({"app": "echo no such stack >&2; exit 1"}))
    result = run(tmp_path / "app", "--rule", "Inbound", "--message", message)
    assert (result.exit_code, "its synth failed:\nno such stack" in result.stderr) == (2, True), result.stderr
