"""How functions are kept, isolated and ended."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import select
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.functions.conftest import HERE, KEYS, make_zip
from workmail_local.functions import FunctionHost, FunctionSpec, InvocationOutcome, UnsupportedRuntimeError
from workmail_local.functions.interpreters import find_interpreter
from workmail_local.functions.unpacked_code import CodeError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.functions.conftest import MakeFunction, WithHost

PID = "import os\ndef handler(event, context): return os.getpid()\n"


def reply_of(with_host: WithHost, spec: FunctionSpec, event: bytes = b"{}") -> Any:
    async def body(host: FunctionHost) -> Any:
        invocation = await host.invoke(spec, event)
        assert invocation.outcome is InvocationOutcome.REPLIED, invocation
        return json.loads(invocation.payload or b"")

    return with_host(body)


def test_a_process_stays_warm_and_concurrent_invocations_get_one_each(
    make_function: MakeFunction, with_host: WithHost, tmp_path: Path
) -> None:
    meeting = make_function(
        """
        import os, pathlib, time
        def handler(event, context):
            folder = pathlib.Path(os.environ["FOLDER"])
            (folder / str(os.getpid())).touch()
            while len(list(folder.iterdir())) < 3:
                time.sleep(0.01)
            return os.getpid()
        """,
        environment={"FOLDER": str(tmp_path / "meeting")},
        timeout_s=30,
    )
    (tmp_path / "meeting").mkdir()

    async def body(host: FunctionHost) -> None:
        together = await asyncio.gather(*(host.invoke(meeting, b"{}") for _ in range(3)))
        assert {one.outcome for one in together} == {InvocationOutcome.REPLIED}
        assert len({one.payload for one in together}) == 3
        later = [(await host.invoke(meeting, b"{}")).payload for _ in range(5)]
        assert len(set(later)) == 1
        assert later[0] in {one.payload for one in together}

    with_host(body)


def test_further_invocations_wait_for_their_turn(make_function: MakeFunction, tmp_path: Path) -> None:
    spec = make_function(PID)

    async def main() -> set[bytes | None]:
        async with FunctionHost(work=tmp_path / "work", endpoints={}, max_concurrency=2) as host:
            return {one.payload for one in await asyncio.gather(*(host.invoke(spec, b"{}") for _ in range(20)))}

    assert 1 <= len(asyncio.run(main())) <= 2


def test_a_function_that_needs_room_ends_the_one_that_was_idle_longest(
    make_function: MakeFunction, tmp_path: Path
) -> None:
    first, second = make_function(PID, name="first"), make_function(PID, name="second")

    async def main() -> None:
        async with FunctionHost(work=tmp_path / "work", endpoints={}, max_concurrency=1) as host:
            idle = os.pidfd_open(int((await host.invoke(first, b"{}")).payload or b""))
            assert (await host.invoke(second, b"{}")).outcome is InvocationOutcome.REPLIED
            assert select.select([idle], [], [], 20)[0]
            os.close(idle)
            assert (await host.invoke(first, b"{}")).outcome is InvocationOutcome.REPLIED

    asyncio.run(main())


def test_output_without_end_is_cut(make_function: MakeFunction, with_host: WithHost) -> None:
    async def body(host: FunctionHost) -> None:
        spec = make_function("def handler(event, context): print('x' * 1_500_000)", timeout_s=20)
        invocation = await host.invoke(spec, b"{}")
        assert invocation.log.endswith("x\n[the rest of this invocation's output was not kept]\n")
        assert len(invocation.log) < 1_100_000
        assert (await host.invoke(spec, b"{}")).log == invocation.log

    with_host(body)


def test_changed_code_or_configuration_starts_afresh(make_function: MakeFunction, with_host: WithHost) -> None:
    async def body(host: FunctionHost) -> None:
        app = "import os\ndef handler(event, context): return os.environ['WORD'] + '1'\n"
        first = make_function(app, environment={"WORD": "a"})
        assert (await host.invoke(first, b"{}")).payload == b'"a1"'
        second = make_function(app, environment={"WORD": "b"})
        assert (await host.invoke(second, b"{}")).payload == b'"b1"'
        third = make_function(app.replace("'1'", "'two'"), environment={"WORD": "b"})
        assert third == second
        assert (await host.invoke(third, b"{}")).payload == b'"btwo"'

    with_host(body)


def test_nothing_of_the_developers_shell_or_packages_reaches_the_function(
    make_function: MakeFunction, with_host: WithHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPERS_SECRET", "x")
    monkeypatch.setenv("AWS_PROFILE", "production")
    spec = make_function(
        """
        import importlib.util, os
        def handler(event, context):
            return {
                "env": dict(os.environ),
                "home": os.path.expanduser("~"),
                "cwd": os.getcwd(),
                "found": [name for name in ("boto3", "pytest", "aiohttp", "rich") if importlib.util.find_spec(name)],
            }
        """,
        environment={
            "OWN": "1",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
            "AWS_ENDPOINT_URL_SQS": "http://[",
            "AWS_ENDPOINT_URL_TRANSLATE": "http://127.0.0.1:1",
        },
    )
    reply = reply_of(with_host, spec)
    env = reply["env"]
    assert "DEVELOPERS_SECRET" not in env
    assert "AWS_PROFILE" not in env
    assert "AWS_ENDPOINT_URL_S3" not in env
    assert "AWS_ENDPOINT_URL_SQS" not in env
    assert env["AWS_ENDPOINT_URL_TRANSLATE"] == "http://127.0.0.1:1"
    assert env["OWN"] == "1"
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert env["AWS_ACCESS_KEY_ID"] == KEYS.of_function(spec.arn)
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert env["_HANDLER"] == "app.handler"
    assert env["LAMBDA_TASK_ROOT"] == reply["cwd"]
    assert not os.path.exists(reply["home"])
    assert reply["found"] == ["boto3"]


def test_layers_are_unpacked_over_one_another_behind_the_functions_own_code(
    make_function: MakeFunction, with_host: WithHost, tmp_path: Path
) -> None:
    lower = make_zip(tmp_path / "lower.zip", {"python/first.py": "V = 'lower'", "python/both.py": "V = 'lower'"})
    upper = make_zip(tmp_path / "upper.zip", {"python/both.py": "V = 'upper'", "python/own.py": "V = 'layer'"})
    spec = make_function(
        "import first, both, own\ndef handler(event, context): return [first.V, both.V, own.V]",
        files={"own.py": "V = 'own'"},
        layers=(lower, upper),
    )
    assert reply_of(with_host, spec) == ["lower", "upper", "own"]


def test_a_folder_runs_where_it_lies_and_gets_no_byte_code(with_host: WithHost, tmp_path: Path) -> None:
    folder = tmp_path / "handler"
    folder.mkdir()
    (folder / "app.py").write_text("import helper\ndef handler(event, context): return __file__")
    (folder / "helper.py").write_text("")
    spec = FunctionSpec(
        name="f",
        arn="arn:f",
        runtime=HERE,
        handler="app.handler",
        code=folder,
    )
    assert reply_of(with_host, spec) == str(folder / "app.py")
    assert sorted(path.name for path in folder.iterdir()) == ["app.py", "helper.py"]


OTHERS = [
    runtime
    for runtime in ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")
    if runtime != HERE and find_interpreter(runtime).runtime == runtime
]


@pytest.mark.skipif(not OTHERS, reason="this machine has one Python only")
def test_the_interpreter_of_the_functions_runtime_is_used(make_function: MakeFunction, with_host: WithHost) -> None:
    app = "import sys\ndef handler(event, context): return ['python%d.%d' % sys.version_info[:2], event['word']]"
    spec = make_function(app, runtime=OTHERS[-1], timeout_s=20)
    assert reply_of(with_host, spec, b'{"word": "gr\\u00fc\\u00df"}') == [OTHERS[-1], "gr\u00fc\u00df"]


def test_the_stand_in_for_the_compiled_client_reports_failures_too(
    make_function: MakeFunction, with_host: WithHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workmail_local.functions.runtime_folder._compiled_client", lambda _: None)
    spec = make_function("def handler(event, context): return 1 / event['by']", timeout_s=20)

    async def body(host: FunctionHost) -> None:
        assert (await host.invoke(spec, b'{"by": 1}')).payload == b"1.0"
        failed = await host.invoke(spec, b'{"by": 0}')
        assert (failed.outcome, failed.error_type) == (InvocationOutcome.FUNCTION_ERROR, "ZeroDivisionError")
        assert (await host.invoke(spec, b'{"by": 2}')).payload == b"0.5"

    with_host(body)


def test_the_client_is_fetched_where_it_is_not_published_for_the_platform(
    make_function: MakeFunction, with_host: WithHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def without_client(name: str) -> Any:
        return None if name in ("awslambdaric", "runtime_client") else find_spec(name)

    monkeypatch.setattr("importlib.util.find_spec", without_client)
    assert reply_of(with_host, make_function("def handler(event, context): return 'hello'")) == "hello"


def test_a_runtime_that_is_missing_here_is_noted_and_the_running_one_used(
    make_function: MakeFunction, with_host: WithHost
) -> None:
    async def body(host: FunctionHost) -> None:
        invocation = await host.invoke(make_function(PID, runtime="python3.9"), b"{}")
        assert invocation.outcome is InvocationOutcome.REPLIED
        assert "runtime python3.9: no such interpreter" in invocation.notes[0]

    with_host(body)


@pytest.mark.parametrize("runtime", ["nodejs22.x", "provided.al2023", "python3.x", ""])
def test_a_runtime_that_cannot_run_here_is_refused(make_function: MakeFunction, runtime: str) -> None:
    with pytest.raises(UnsupportedRuntimeError, match="only Python functions deployed as a zip"):
        make_function(PID, runtime=runtime)


def test_compiled_code_for_another_platform_is_resolved_again_from_the_record(
    make_function: MakeFunction, with_host: WithHost, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text('[project]\nname = "greeting"\nversion = "1"\n')
    (package / "greeting.py").write_text("WORD = 'built here'\n")
    elf = b"\x7fELF" + bytes(14) + b"\x00\x00"  # of no known machine
    spec = make_function(
        "import greeting\ndef handler(event, context): return greeting.WORD",
        files={
            "greeting.cpython-399-aarch64-linux-gnu.so": elf,
            ".workmail/requirements.txt": f"{package}\n",
            ".workmail/build.json": '{"platform": "aarch64", "python": "3.99"}',
        },
    )

    async def body(host: FunctionHost) -> None:
        invocation = await host.invoke(spec, b"{}")
        assert invocation.payload == b'"built here"', invocation
        assert "built for aarch64, Python 3.99 do not load here (greeting.cpython-399" in invocation.notes[0]
        assert "resolved again for this machine" in invocation.notes[0]

    with_host(body)


def test_broken_code_is_an_error_that_says_where(make_function: MakeFunction, with_host: WithHost) -> None:
    spec = make_function(PID)

    async def body(host: FunctionHost) -> None:
        spec.code.write_bytes(b"no zip")
        with pytest.raises(CodeError, match=r"rule\.zip: not a zip"):
            await host.invoke(spec, b"{}")
        make_function(PID)
        assert (await host.invoke(spec, b"{}")).outcome is InvocationOutcome.REPLIED

    with_host(body)


def test_a_cancelled_caller_loses_no_process(make_function: MakeFunction, with_host: WithHost) -> None:
    spec = make_function("import time\ndef handler(event, context): time.sleep(event['s'])", timeout_s=30)

    async def body(host: FunctionHost) -> None:
        await host.invoke(spec, b'{"s": 0}')
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(host.invoke(spec, b'{"s": 0.2}'), 0.05)
        for _ in range(3):
            assert (await host.invoke(spec, b'{"s": 0}')).outcome is InvocationOutcome.REPLIED

    with_host(body)


def test_functions_end_with_a_host_that_is_killed(make_function: MakeFunction, tmp_path: Path) -> None:
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    spec = make_function(
        f"""
        import os, pathlib, time
        def handler(event, context):
            pathlib.Path({str(pipe)!r}).write_text(str(os.getpid()))
            time.sleep(600)
        """
    )
    script = f"""
        import asyncio, pathlib
        from workmail_local.functions import FunctionHost, FunctionSpec
        async def main():
            host = FunctionHost(work=pathlib.Path({str(tmp_path / "work")!r}), endpoints={{}})
            spec = FunctionSpec(name="f", arn="arn:f", runtime={spec.runtime!r}, handler="app.handler",
                                code=pathlib.Path({str(spec.code)!r}), timeout_s=600)
            await host.invoke(spec, b"{{}}")
        asyncio.run(main())
    """
    host = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    function = os.pidfd_open(int(pipe.read_text()))  # waits for the function to write
    host.kill()
    host.wait()
    assert select.select([function], [], [], 20)[0]  # readable once the process has ended
    os.close(function)
