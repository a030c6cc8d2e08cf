"""One process of a function and the Runtime API it talks to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from workmail_local.functions import supervisor
from workmail_local.functions.invocation import Invocation, InvocationOutcome
from workmail_local.functions.memory import children_of, peak_resident_bytes, resident_bytes
from workmail_local.functions.runtime_api import MAX_RESPONSE_BYTES, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_local.functions.function_spec import FunctionSpec
    from workmail_local.functions.prepared_function import PreparedFunction

INIT_LIMIT_S: Final = 10.0
"""Seconds Lambda gives the code to load."""

_SUPERVISOR_LIMIT_S: Final = 1.0
"""Seconds until a supervisor that does not end, for example because its function stopped it, is killed."""

_PIPE_CHUNK: Final = 65_536
_MIB: Final = 1024 * 1024
_LOG_LIMIT: Final = _MIB
"""Bytes kept of one invocation's output; a function that never stops printing must not fill our memory."""
_LOG_CUT: Final = b"\n[the rest of this invocation's output was not kept]\n"

_PEAK_WORTH_READING_S: Final = 0.005
"""A shorter invocation cannot have filled much memory, and reading the peak would take longer than it did."""


class Worker:
    """One process of a function: takes one event at a time until it ends. Implements `RuntimeEvents`.

    Args:
        on_free: Called when an invocation is over and the process can take the next.
        on_end: Called once, when the process has ended or is being killed.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        prepared: PreparedFunction,
        *,
        on_free: Callable[[Worker], None],
        on_end: Callable[[Worker], None],
    ) -> None:
        self.spec = spec
        self._prepared = prepared
        self._on_free = on_free
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._connections: list[RuntimeApi] = []
        self._api: RuntimeApi | None = None  # the connection that is waiting for an event
        self._pending: bytes | None = None  # an event that the client has not asked for yet
        self._result: asyncio.Future[Invocation] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[None] | None = None
        self._output = -1
        self._log = bytearray()
        self._request_id = ""
        self._initialised = False
        self._over = False
        self._started_at = self._dispatched_at = 0.0
        self._init_s: float | None = None

    async def start(self) -> None:
        """Start the process; the first `invoke` waits until its code is loaded."""
        fixed_head = (
            f"Lambda-Runtime-Invoked-Function-Arn: {self.spec.arn}\r\nContent-Type: application/json\r\n"
        ).encode()
        self._server = await self._loop.create_server(lambda: self._connected(fixed_head), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        self._started_at = time.perf_counter()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", supervisor.__file__, *self._prepared.command),
                env={**self._prepared.environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
                cwd=self._prepared.task_root,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._output)
            self._server.close()
            raise
        finally:
            os.close(output)
        self._loop.add_reader(self._output, self._read_output)
        self._ended = self._loop.create_task(self._wait_for_end())
        self._limit = self._loop.call_later(INIT_LIMIT_S, self._init_timed_out)

    def invoke(self, event: bytes) -> asyncio.Future[Invocation]:
        """Give the process its next event and return its future outcome; one event at a time."""
        self._request_id = str(uuid4())
        self._dispatched_at = 0.0
        self._result = self._loop.create_future()
        if self._api is not None:
            self._dispatch(event)
        else:
            self._pending = event
        return self._result

    def partial(self, outcome: InvocationOutcome, message: str) -> Invocation:
        """Return the running invocation as far as it has come, for a caller who stops waiting."""
        return self._invocation(outcome, message=message)

    def kill(self) -> None:
        """Kill the process and everything it started; a running invocation ends as CRASHED."""
        self._leave()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()  # the supervisor ends them all
            self._loop.call_later(_SUPERVISOR_LIMIT_S, self._kill_group)

    async def wait_ended(self) -> None:
        """Wait until the process has ended and its port is closed."""
        if self._ended is not None:
            await self._ended

    def check_memory(self) -> None:
        """Kill the process if it uses more resident memory than the function has."""
        if self._process is not None and not self._over:
            self._limit_memory(sum(map(resident_bytes, children_of(self._process.pid))))

    # RuntimeEvents

    def ready(self, api: RuntimeApi) -> None:
        """The code is loaded, or the last event is done."""
        self._api = api
        if not self._initialised:
            self._initialised = True
            self._init_s = time.perf_counter() - self._started_at
            self._stop_limit()
        if self._pending is not None:
            event, self._pending = self._pending, None
            self._dispatch(event)

    def replied(self, payload: bytes) -> None:
        """The handler returned."""
        lasted = time.perf_counter() - self._dispatched_at
        if lasted > _PEAK_WORTH_READING_S and self._process is not None:
            self._limit_memory(max(map(peak_resident_bytes, children_of(self._process.pid)), default=0))
        self._finish(InvocationOutcome.REPLIED, payload=payload)

    def failed(self, error: bytes) -> None:
        """The handler raised."""
        self._fail_with(InvocationOutcome.FUNCTION_ERROR, error)

    def failed_init(self, error: bytes) -> None:
        """The handler could not be loaded."""
        self.kill()
        self._fail_with(InvocationOutcome.INIT_ERROR, error)

    def replied_too_large(self, size: int) -> None:
        """The handler returned more than Lambda takes."""
        message = (
            f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
        )
        self.kill()
        self._finish(InvocationOutcome.RESPONSE_TOO_LARGE, error_type="Function.ResponseSizeTooLarge", message=message)

    # One invocation

    def _dispatch(self, event: bytes) -> None:
        assert self._api is not None  # noqa: S101 - callers check
        api, self._api = self._api, None
        self._dispatched_at = time.perf_counter()
        self._limit = self._loop.call_later(self.spec.timeout_s, self._timed_out)
        now = time.time()
        api.send_event(
            event,
            request_id=self._request_id,
            deadline_ms=int((now + self.spec.timeout_s) * 1000),
            trace_id=f"Root=1-{int(now):08x}-{self._request_id.replace('-', '')[:24]};Sampled=0",
        )

    def _timed_out(self) -> None:
        self.kill()
        error = f"Task timed out after {self.spec.timeout_s:.2f} seconds"
        self._end_with(InvocationOutcome.TIMED_OUT, "Sandbox.Timedout", error)

    def _init_timed_out(self) -> None:
        self.kill()
        error = f"Init timed out after {INIT_LIMIT_S:.2f} seconds"
        self._end_with(InvocationOutcome.INIT_ERROR, "Sandbox.Timedout", error)

    def _limit_memory(self, resident: int) -> None:
        if resident > self.spec.memory_mb * _MIB:
            self.kill()
            used = f"(memory used: {resident // _MIB} MB of {self.spec.memory_mb} MB)"
            error = f"Runtime exited with error: signal: killed {used}"
            self._end_with(InvocationOutcome.OUT_OF_MEMORY, "Runtime.OutOfMemory", error)

    def _end_with(self, outcome: InvocationOutcome, error_type: str, error: str) -> None:
        """Finish as Lambda reports the end of a process."""
        self._finish(outcome, error_type=error_type, message=f"RequestId: {self._request_id} Error: {error}")

    def _fail_with(self, outcome: InvocationOutcome, error: bytes) -> None:
        try:
            details = json.loads(error)
        except (ValueError, RecursionError):
            details = None
        if not isinstance(details, dict):  # the runtime client sends an object; the function may send anything
            details = {}
        stack = details.get("stackTrace")
        self._finish(
            outcome,
            error_type=str(details.get("errorType", "")),
            message=str(details.get("errorMessage", "")),
            stack=tuple(map(str, stack)) if isinstance(stack, list) else (),
        )

    def _finish(
        self,
        outcome: InvocationOutcome,
        *,
        payload: bytes | None = None,
        error_type: str | None = None,
        message: str | None = None,
        stack: tuple[str, ...] = (),
    ) -> None:
        self._stop_limit()
        result, self._result = self._result, None
        if result is None:
            return  # it has its outcome, for example by the memory limit
        if not result.done():
            result.set_result(self._invocation(outcome, payload, error_type, message, stack))
        self._log.clear()
        self._init_s = None
        if not self._over:
            self._on_free(self)

    def _invocation(
        self,
        outcome: InvocationOutcome,
        payload: bytes | None = None,
        error_type: str | None = None,
        message: str | None = None,
        stack: tuple[str, ...] = (),
    ) -> Invocation:
        self._read_output()
        return Invocation(
            outcome=outcome,
            payload=payload,
            error_type=error_type,
            error_message=message,
            stack_trace=stack,
            log=_readable(self._log),
            duration_s=time.perf_counter() - self._dispatched_at if self._dispatched_at else 0.0,
            init_s=self._init_s,
            request_id=self._request_id,
            notes=self._prepared.notes,
        )

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    # The process

    def _read_output(self) -> None:
        """Read what the process has written so far, which at an invocation's end is all of its output."""
        while self._output >= 0:
            try:
                data = os.read(self._output, _PIPE_CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._close_output()
                return
            if len(self._log) < _LOG_LIMIT:
                self._log += data
                if len(self._log) >= _LOG_LIMIT:
                    self._log[_LOG_LIMIT:] = _LOG_CUT
            if len(data) < _PIPE_CHUNK:
                return

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._on_end(self)

    def _close_output(self) -> None:
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1

    def _kill_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _connected(self, fixed_head: bytes) -> RuntimeApi:
        self._connections.append(RuntimeApi(self, fixed_head))
        return self._connections[-1]

    async def _wait_for_end(self) -> None:
        assert self._process is not None and self._server is not None  # noqa: S101, PT018 - `start` set them
        code = await self._process.wait()
        self._read_output()
        self._kill_group()  # what a supervisor that was killed has left
        self._leave()
        how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        outcome = InvocationOutcome.CRASHED if self._initialised else InvocationOutcome.INIT_ERROR
        self._end_with(outcome, "Runtime.ExitError", f"Runtime exited with error: {how}")
        self._close_output()
        self._server.close()
        for connection in self._connections:
            connection.close()
        await asyncio.sleep(0)  # a transport closes its socket in the loop's next round


def _readable(log: bytearray) -> str:
    """Decode output and undo how the runtime client writes a stack trace for CloudWatch, as one line."""
    return log.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
