"""A function host for each test, and functions written as text."""

from __future__ import annotations

import asyncio
import sys
import textwrap
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from workmail_local.access_keys import AccessKeys
from workmail_local.functions import FunctionHost, FunctionSpec

if TYPE_CHECKING:
    from pathlib import Path

KEYS = AccessKeys.random()
HERE = f"python{sys.version_info[0]}.{sys.version_info[1]}"

MakeFunction = Callable[..., FunctionSpec]
WithHost = Callable[[Callable[[FunctionHost], Awaitable[Any]]], Any]


def make_zip(path: Path, files: dict[str, str | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, textwrap.dedent(content) if isinstance(content, str) else content)
    return path


@pytest.fixture
def make_function(tmp_path: Path) -> MakeFunction:
    """Zip the given text as `app.py`, and further files, and return the function's spec."""

    def make(
        app: str, *, files: dict[str, str | bytes] | None = None, name: str = "rule", **options: Any
    ) -> FunctionSpec:
        code = make_zip(tmp_path / "zips" / f"{name}.zip", {"app.py": app, **(files or {})})
        return FunctionSpec(
            **{
                "name": name,
                "arn": f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
                "runtime": HERE,
                "handler": "app.handler",
                "code": code,
                **options,
            }
        )

    return make


@pytest.fixture
def with_host(tmp_path: Path) -> WithHost:
    """Run a coroutine function with a host, and end the host."""

    @asynccontextmanager
    async def hosted() -> Any:
        endpoints = {"AWS_ENDPOINT_URL": "http://localhost:9"}
        async with FunctionHost(work=tmp_path / "work", endpoints=endpoints, keys=KEYS, max_concurrency=4) as host:
            yield host

    def run(body: Callable[[FunctionHost], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with hosted() as host:
                return await body(host)

        return asyncio.run(main())

    return run
