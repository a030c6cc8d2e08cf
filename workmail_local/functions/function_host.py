"""Runs Lambda functions on this machine, one process per concurrent invocation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from workmail_local.access_keys import AccessKeys
from workmail_local.functions.invocation import Invocation, InvocationOutcome
from workmail_local.functions.prepared_function import PreparedFunction, prepare
from workmail_local.functions.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workmail_local.functions.function_spec import FunctionSpec

_MEMORY_CHECK_S: Final = 0.05
"""Seconds between two looks at the memory of busy processes."""


class _Pool:
    """The processes of one function."""

    def __init__(self, spec: FunctionSpec, prepared: asyncio.Task[PreparedFunction]) -> None:
        self.spec = spec
        self.code = _code_stamp(spec)
        self.prepared = prepared
        self.idle: list[Worker] = []  # the last one used is taken first
        self.retired = False


class FunctionHost:
    """Runs functions; an async context manager that leaves no process behind.

    Args:
        work: Folder for unpacked code. It may be kept and shared, as everything in it is named by its content.
        endpoints: Variables that direct the functions' SDK calls here: `AWS_ENDPOINT_URL` and those like it.
        keys: Holds each function's access key; by default new keys, which no endpoint knows.
        max_concurrency: Invocations at a time; more have to wait. One that timed out for its caller does not count.
    """

    def __init__(
        self,
        *,
        work: Path,
        endpoints: Mapping[str, str],
        keys: AccessKeys | None = None,
        max_concurrency: int = 8,
    ) -> None:
        self._work = work.absolute()
        # boto3 puts a bucket's name in front of a host name, but not of an address; bucket.localhost has no address.
        self._endpoints = {name: url.replace("//localhost:", "//127.0.0.1:") for name, url in endpoints.items()}
        self._keys = keys or AccessKeys.random()
        self._max_concurrency = max_concurrency
        self._slots = asyncio.Semaphore(max_concurrency)
        self._pools: dict[str, _Pool] = {}
        self._busy: dict[Worker, _Pool] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._memory_check: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def invoke(self, spec: FunctionSpec, event: bytes, *, wait_s: float | None = None) -> Invocation:
        """Invoke a function and wait for its outcome.

        If the spec or the code under an ARN has changed, new processes replace the old ones.

        Args:
            spec: The function.
            event: JSON.
            wait_s: Seconds to wait at most, including a cold start; without it, as long as it takes. After them the
                outcome is WAITED_OUT, and the function runs on until it returns or its own timeout ends it.

        Raises:
            CodeError: The function's code cannot be unpacked or prepared for this machine.
            ModuleNotFoundError: boto3 or one of its requirements is not installed.
        """
        async with self._slots:
            pool = self._pool(spec)
            worker = pool.idle.pop() if pool.idle else await self._start_worker(pool)
            self._busy[worker] = pool
            if self._memory_check is None:
                self._check_memory()
            result = worker.invoke(event)
            if wait_s is None:
                return await result
            stop = asyncio.get_running_loop().call_later(wait_s, _stop_waiting, worker, result, wait_s)
            try:
                return await result
            finally:
                stop.cancel()

    async def close(self) -> None:
        """Kill every process and wait until all have ended; running invocations end as CRASHED."""
        if self._memory_check is not None:
            self._memory_check.cancel()
            self._memory_check = None
        for pool in self._pools.values():
            pool.prepared.cancel()
            pool.retired = True
        for worker in [*self._busy, *(worker for pool in self._pools.values() for worker in pool.idle)]:
            worker.kill()
        await asyncio.gather(*self._ending)
        self._pools.clear()

    def _pool(self, spec: FunctionSpec) -> _Pool:
        pool = self._pools.get(spec.arn)
        if pool is not None and (pool.spec is spec or (pool.spec == spec and pool.code == _code_stamp(spec))):
            return pool
        if pool is not None:
            self._retire(pool)
        preparing = asyncio.to_thread(prepare, spec, work=self._work, endpoints=self._endpoints, keys=self._keys)
        pool = self._pools[spec.arn] = _Pool(spec, asyncio.get_running_loop().create_task(preparing))
        return pool

    def _retire(self, pool: _Pool) -> None:
        pool.retired = True
        for worker in list(pool.idle):
            worker.kill()

    async def _start_worker(self, pool: _Pool) -> Worker:
        try:
            prepared = await asyncio.shield(pool.prepared)
        except Exception:
            if self._pools.get(pool.spec.arn) is pool:
                del self._pools[pool.spec.arn]  # so that the next invocation tries again
            raise
        self._make_room()
        worker = Worker(pool.spec, prepared, on_free=self._worker_free, on_end=self._worker_ended)
        await worker.start()
        return worker

    def _make_room(self) -> None:
        """End the process that has been idle longest if there are as many as may run at a time."""
        idle = [pool for pool in self._pools.values() if pool.idle]
        if idle and len(self._busy) + sum(len(pool.idle) for pool in idle) >= self._max_concurrency:
            idle[0].idle[0].kill()

    def _worker_free(self, worker: Worker) -> None:
        pool = self._busy.pop(worker)
        if pool.retired:
            worker.kill()
        else:
            pool.idle.append(worker)

    def _worker_ended(self, worker: Worker) -> None:
        pool = self._busy.pop(worker, None) or self._pools.get(worker.spec.arn)
        if pool is not None and worker in pool.idle:
            pool.idle.remove(worker)
        ending = asyncio.get_running_loop().create_task(worker.wait_ended())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _check_memory(self) -> None:
        for worker in list(self._busy):
            worker.check_memory()
        self._memory_check = (
            asyncio.get_running_loop().call_later(_MEMORY_CHECK_S, self._check_memory) if self._busy else None
        )


def _code_stamp(spec: FunctionSpec) -> tuple[int, int]:
    """Return what changes when another zip replaces this one."""
    try:
        status = spec.code.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _stop_waiting(worker: Worker, result: asyncio.Future[Invocation], wait_s: float) -> None:
    if not result.done():
        result.set_result(
            worker.partial(
                InvocationOutcome.WAITED_OUT, f"no result within {wait_s:g} s; the function was left running"
            )
        )
