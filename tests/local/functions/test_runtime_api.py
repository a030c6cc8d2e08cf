"""The Runtime API, as another user of this machine meets it."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from workmail_local.functions.runtime_api import RuntimeApi


class NoEvents:
    """Implements `RuntimeEvents` for a Runtime API that must not call it."""

    def ready(self, api: RuntimeApi) -> None:
        raise AssertionError("a stranger was offered an event")

    def replied(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def failed(self, error: bytes) -> None:
        raise AssertionError(error)

    def replied_too_large(self, size: int) -> None:
        raise AssertionError(size)

    def failed_init(self, error: bytes) -> None:
        raise AssertionError(error)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
@pytest.mark.parametrize(
    "request_line", ["GET /2018-06-01/runtime/invocation/next", "POST /2018-06-01/runtime/init/error"]
)
def test_another_users_connection_ends_unanswered(monkeypatch: pytest.MonkeyPatch, request_line: str) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    failures: list[object] = []

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        async with await loop.create_server(lambda: RuntimeApi(NoEvents(), b""), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(f"{request_line} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

    assert (asyncio.run(ask()), failures) == (b"", [])
