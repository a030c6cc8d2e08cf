"""Each way an invocation can end, with a real process under AWS's runtime client."""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workmail_local.functions import FunctionHost, Invocation, InvocationOutcome

if TYPE_CHECKING:
    from tests.local.functions.conftest import MakeFunction, WithHost

EVENT = b'{"subject": "hello"}'


def invoke(with_host: WithHost, spec: object, times: int = 1, **options: object) -> list[Invocation]:
    async def body(host: FunctionHost) -> list[Invocation]:
        return [await host.invoke(spec, EVENT, **options) for _ in range(times)]  # type: ignore[arg-type]

    invocations: list[Invocation] = with_host(body)
    return invocations


def test_a_reply_comes_with_its_log_and_the_context_lambda_gives(
    make_function: MakeFunction, with_host: WithHost
) -> None:
    spec = make_function(
        """
        import logging, os, sys
        print("loaded")
        def handler(event, context):
            print("out \\u00fc")
            print("err", file=sys.stderr)
            logging.getLogger().warning("logged")
            return {
                "event": event,
                "arn": context.invoked_function_arn,
                "name": context.function_name,
                "request": context.aws_request_id,
                "left": context.get_remaining_time_in_millis(),
                "trace": os.environ["_X_AMZN_TRACE_ID"],
            }
        """,
        timeout_s=7,
    )
    first, second = invoke(with_host, spec, times=2)
    reply = json.loads(first.payload or b"")
    assert first.outcome is second.outcome is InvocationOutcome.REPLIED
    assert reply["event"] == {"subject": "hello"}
    assert reply["arn"] == spec.arn
    assert reply["name"] == "rule"
    assert reply["request"] == first.request_id != second.request_id
    assert 0 < reply["left"] <= 7000
    assert reply["trace"].startswith("Root=1-")
    assert first.log.splitlines()[:3] == ["loaded", "out \u00fc", "err"]
    assert f"{first.request_id}\tlogged" in first.log
    assert second.log.splitlines()[:2] == ["out \u00fc", "err"]
    assert first.init_s is not None
    assert second.init_s is None
    assert first.notes == ()


@pytest.mark.fact("T2")
@pytest.mark.parametrize(
    ("app", "outcome", "error_type", "message"),
    [
        ("def handler(event, context): raise KeyError('x')", InvocationOutcome.FUNCTION_ERROR, "KeyError", "'x'"),
        ("def handler(event, context): return {1, 2}", InvocationOutcome.FUNCTION_ERROR, "Runtime.MarshalError", "set"),
        ("import nowhere", InvocationOutcome.INIT_ERROR, "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("def handler(event context):", InvocationOutcome.INIT_ERROR, "Runtime.UserCodeSyntaxError", "app.py"),
        ("other = 1", InvocationOutcome.INIT_ERROR, "Runtime.HandlerNotFound", "'handler' missing"),
        ("1 / 0", InvocationOutcome.INIT_ERROR, "ZeroDivisionError", "division"),
        ("import sys; sys.exit(3)", InvocationOutcome.INIT_ERROR, "Runtime.ExitError", "exit status 3"),
        (
            "import sys\ndef handler(event, context): sys.exit(4)",
            InvocationOutcome.CRASHED,
            "Runtime.ExitError",
            "exit status 4",
        ),
        (
            "import os\ndef handler(event, context): os._exit(0)",
            InvocationOutcome.CRASHED,
            "Runtime.ExitError",
            "exit status 0",
        ),
        (
            "import os\ndef handler(event, context): os.abort()",
            InvocationOutcome.CRASHED,
            "Runtime.ExitError",
            "SIGABRT",
        ),
        (
            "def handler(event, context): return 'x' * 7_000_000",
            InvocationOutcome.RESPONSE_TOO_LARGE,
            "Function.ResponseSizeTooLarge",
            "7000002 bytes",
        ),
        (
            "def handler(event, context): len(bytearray(b'x') * 300_000_000)",
            InvocationOutcome.OUT_OF_MEMORY,
            "Runtime.OutOfMemory",
            "of 128 MB",
        ),
    ],
    ids=lambda value: value if isinstance(value, InvocationOutcome) else None,
)
def test_a_failure_is_reported_as_by_lambda_and_the_next_invocation_starts_afresh(
    make_function: MakeFunction,
    with_host: WithHost,
    app: str,
    outcome: InvocationOutcome,
    error_type: str,
    message: str,
) -> None:
    for failed in invoke(with_host, make_function(app, timeout_s=20), times=2):
        assert (failed.outcome, failed.error_type) == (outcome, error_type)
        assert message in (failed.error_message or "")
        assert failed.payload is None


def test_an_exception_brings_its_stack_and_keeps_the_process(make_function: MakeFunction, with_host: WithHost) -> None:
    spec = make_function("import os\ndef handler(event, context):\n    raise ValueError(str(os.getpid()))\n")
    first, second = invoke(with_host, spec, times=2)
    assert first.error_message == second.error_message
    assert "line 3, in handler" in "".join(first.stack_trace)
    assert "[ERROR] ValueError" in first.log
    assert "\r" not in first.log


def test_the_functions_timeout_ends_its_process_and_all_that_it_started(
    make_function: MakeFunction, with_host: WithHost
) -> None:
    spec = make_function(
        """
        import subprocess, time
        def handler(event, context):
            child = subprocess.Popen(["sleep", "600"])
            print("child", child.pid)
            time.sleep(600)
        """,
        timeout_s=0.5,
    )
    (timed_out,) = invoke(with_host, spec)
    assert timed_out.outcome is InvocationOutcome.TIMED_OUT
    assert "Task timed out after 0.50 seconds" in (timed_out.error_message or "")
    assert _ends(int(timed_out.log.split()[1]))


def test_code_that_hangs_while_loading_is_given_up(
    make_function: MakeFunction, with_host: WithHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workmail_local.functions.worker.INIT_LIMIT_S", 0.5)
    (hanging,) = invoke(with_host, make_function("import time; time.sleep(600)"))
    assert hanging.outcome is InvocationOutcome.INIT_ERROR
    assert "Init timed out after 0.50 seconds" in (hanging.error_message or "")


@pytest.mark.fact("T1")
def test_a_caller_who_stops_waiting_leaves_the_function_running_and_another_process_takes_the_next(
    make_function: MakeFunction, with_host: WithHost, tmp_path: object
) -> None:
    gate = os.path.join(str(tmp_path), "gate")
    os.mkfifo(gate)
    spec = make_function(
        """
        import os
        def handler(event, context):
            if event.get("wait"):
                with open(os.environ["GATE"]) as gate:
                    gate.read()
            return os.getpid()
        """,
        environment={"GATE": gate},
        timeout_s=60,
    )

    async def body(host: FunctionHost) -> None:
        await host.invoke(spec, b"{}")
        slow = await host.invoke(spec, b'{"wait": true}', wait_s=0.3)
        assert slow.outcome is InvocationOutcome.WAITED_OUT
        assert slow.error_message == "no result within 0.3 s; the function was left running"
        other = await host.invoke(spec, b"{}", wait_s=30)
        assert other.outcome is InvocationOutcome.REPLIED
        with open(gate, "w"):
            pass  # the slow one ends, its process takes events again, and its late reply is nobody's
        pids = {(await host.invoke(spec, b"{}")).payload for _ in range(20)}
        assert len(pids) <= 2
        assert other.payload in pids or len(pids) == 1

    with_host(body)


def _ends(pid: int) -> bool:
    """Whether the process has ended or does so now; a killed one may need a moment."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 20)[0])
    finally:
        os.close(process)


DOUBLE_FORK = """
import os, pathlib, signal, time
def handler(event, context):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            pathlib.Path(os.environ["PID"]).write_text(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    os.wait()
    while not pathlib.Path(os.environ["PID"]).exists() or not pathlib.Path(os.environ["PID"]).read_text():
        time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands a lost process to the supervisor")
def test_a_process_that_left_its_group_lives_between_invocations_and_no_longer(
    make_function: MakeFunction, with_host: WithHost, tmp_path: Path
) -> None:
    spec = make_function(DOUBLE_FORK, environment={"PID": str(tmp_path / "pid")}, timeout_s=30)

    async def body(host: FunctionHost) -> int:
        assert (await host.invoke(spec, b"{}")).outcome is InvocationOutcome.REPLIED
        pid = int((tmp_path / "pid").read_text())
        assert (await host.invoke(spec, b"{}")).outcome is InvocationOutcome.REPLIED
        os.kill(pid, 0)  # still there
        return pid

    pid = with_host(body)
    assert not Path(f"/proc/{pid}").exists()


def test_a_function_that_kills_its_parent_has_crashed_and_nothing_else_has(
    make_function: MakeFunction, with_host: WithHost
) -> None:
    spec = make_function(
        """
        import os, signal, time
        def handler(event, context):
            if event:
                os.kill(os.getppid(), getattr(signal, event["signal"]))
                time.sleep(event["sleep"])
            return os.getpid()
        """,
        timeout_s=20,
    )

    async def body(host: FunctionHost) -> None:
        killed = await host.invoke(spec, b'{"signal": "SIGKILL", "sleep": 600}')
        assert (killed.outcome, killed.error_type) == (InvocationOutcome.CRASHED, "Runtime.ExitError")
        after = await host.invoke(spec, b"{}")
        assert after.outcome is InvocationOutcome.REPLIED
        stopped = await host.invoke(spec, b'{"signal": "SIGSTOP", "sleep": 0}')
        assert stopped.payload == after.payload

    with_host(body)


@pytest.mark.parametrize("error", ["'[' * 100_000", "'[]'", "'not JSON'", "'{\"stackTrace\": 5}'"])
def test_an_error_that_no_runtime_client_sends_ends_the_invocation(
    make_function: MakeFunction, with_host: WithHost, error: str
) -> None:
    spec = make_function(
        f"""
        import http.client, os

        def handler(event, context):
            api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            api.request("POST", "/2018-06-01/runtime/init/error", {error})
            api.getresponse()
        """,
        timeout_s=60,
    )

    async def invoke(host: FunctionHost) -> Invocation:
        return await host.invoke(spec, b"{}")

    assert with_host(invoke).outcome is InvocationOutcome.INIT_ERROR
