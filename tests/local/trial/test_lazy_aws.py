"""The AWS of `workmail-flow try`, as another user of this machine meets it."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from workmail_local.access_keys import AccessKeys
from workmail_local.trial.lazy_aws import LazyAws

KEYS = AccessKeys.random()


async def stranger_meets(method: str, path: str, headers: dict[str, str]) -> tuple[int, bool, bytes]:
    async with LazyAws(region="us-east-1", keys=KEYS, on_start=lambda: None) as aws, aiohttp.ClientSession() as session:
        own = KEYS.authorization("s3", region="us-east-1")
        await session.put(f"{aws.url}/bucket/message", data=b"content", headers=own)
        async with session.request(method, aws.url + path, headers=headers, data=b"other") as refused:
            status = refused.status
        async with session.get(f"{aws.url}/bucket/message", headers=own) as kept:
            return status, aws.started, await kept.read()


@pytest.mark.parametrize(
    "headers", [{}, AccessKeys.random().authorization("s3", region="us-east-1")], ids=["no key", "another run's key"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/bucket/message"), ("PUT", "/bucket/message"), ("POST", "/")])
def test_a_stranger_reads_changes_and_starts_nothing(method: str, path: str, headers: dict[str, str]) -> None:
    assert asyncio.run(stranger_meets(method, path, headers)) == (403, False, b"content")
