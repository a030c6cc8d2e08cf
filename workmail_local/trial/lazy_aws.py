"""A local AWS that starts at the first call that needs it; putting and getting objects does not."""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from aiohttp import web

from workmail_local.aws.server import AwsEndpoint, AwsEndpointError
from workmail_local.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_local.access_keys import AccessKeys

_LARGEST_REQUEST: Final = 64 * 1024 * 1024
"""Bytes; a message has 40 MB at most (F16)."""

_HOP_BY_HOP: Final = {"connection", "content-length", "content-encoding", "host", "keep-alive", "transfer-encoding"}
_OBJECT: Final = re.compile(r"/[^/]+/.+")
_BEYOND_BYTES: Final = {"if-match", "if-none-match", "x-amz-copy-source", "x-amz-trailer"}
"""Headers of a PutObject that does more than keep bytes."""

_BUCKET: Final = re.compile(r"/([^/?]+)")


class LazyAws:
    """Listens at once, starts the AWS endpoint when a request needs it, and passes requests on to it.

    It puts and gets whole objects itself, which is all that an update of a message needs (C1). The endpoint receives
    those objects when it starts. A bucket is made when it is first used, as no deployment can have made it.

    Args:
        region: Region of the endpoint.
        keys: Only requests signed with one of these are answered.
        on_start: Called once, when the endpoint is about to start.
    """

    def __init__(self, *, region: str, keys: AccessKeys, on_start: Callable[[], None]) -> None:
        self._region = region
        self._keys = keys
        self._on_start = on_start
        self._starting: asyncio.Task[AwsEndpoint] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._objects: dict[str, tuple[dict[str, str], bytes]] = {}  # by path: headers, content
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        if self._starting is not None:
            with suppress(AwsEndpointError):  # the request that started it has reported it
                endpoint = await self._starting
                await asyncio.to_thread(endpoint.stop)

    @property
    def started(self) -> bool:
        """Whether a request needed the endpoint."""
        return self._starting is not None

    async def ready(self) -> None:
        """Start the endpoint unless it has started, and wait until it answers."""
        with suppress(AwsEndpointError):  # each request reports it
            await self._endpoint()

    async def _answer(self, request: web.Request) -> web.Response:
        if self._starting is None and not self._is_ours(request):
            return web.Response(status=403, text="the request is not signed with a key of this run")
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if self._starting is None and (answer := self._answer_object(request, headers, body)):
            return answer
        try:
            endpoint = await self._endpoint()
            return await self._use_bucket(request.method, endpoint.url, request.path_qs, headers, body)
        except (AwsEndpointError, aiohttp.ClientError) as error:
            return web.Response(status=500, text=f"the local AWS does not answer: {error}")

    def _is_ours(self, request: web.Request) -> bool:
        """Whether the handler sent the request; once the endpoint has started, it decides."""
        credential = Credential.of_request(request.headers.get("Authorization"), request.query_string)
        return credential is not None and self._keys.issued(credential.key_id)

    def _answer_object(self, request: web.Request, headers: dict[str, str], body: bytes) -> web.Response | None:
        """Answer a PutObject or GetObject that only keeps bytes; return None for other requests."""
        path = request.raw_path.partition("?")[0]
        plain = _OBJECT.fullmatch(request.path) and set(request.query) <= {"x-id"}
        if plain and request.method == "PUT" and not _BEYOND_BYTES.intersection(map(str.lower, headers)):
            self._objects[path] = headers, body
            return web.Response(headers={"ETag": _etag(body)})
        kept = self._objects.get(path)
        if plain and request.method == "GET" and kept and "range" not in map(str.lower, headers):
            content = kept[1]
            return web.Response(body=content, headers={"ETag": _etag(content), "Content-Type": _content_type(kept[0])})
        return None

    async def _use_bucket(
        self, method: str, endpoint: str, path: str, headers: dict[str, str], body: bytes
    ) -> web.Response:
        """Pass a request on; if its bucket does not exist, make it and try again."""
        response = await self._pass_on(method, endpoint + path, headers, body)
        bucket = _BUCKET.match(path)
        if response.status == 404 and bucket and isinstance(response.body, bytes) and b"NoSuchBucket" in response.body:
            own = self._keys.authorization("s3", region="us-east-1")  # the Region that takes any bucket
            await self._pass_on("PUT", f"{endpoint}/{bucket[1]}", own, b"")
            response = await self._pass_on(method, endpoint + path, headers, body)
        return response

    async def _pass_on(self, method: str, url: str, headers: dict[str, str], body: bytes) -> web.Response:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False, auto_decompress=False)
        async with self._session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async def _endpoint(self) -> AwsEndpoint:
        if self._starting is None:
            self._on_start()
            self._starting = asyncio.get_running_loop().create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> AwsEndpoint:
        endpoint = await asyncio.to_thread(AwsEndpoint.start, None, region=self._region, keys=self._keys)
        for path, (headers, body) in self._objects.items():
            await self._use_bucket("PUT", endpoint.url, path, headers, body)
        return endpoint


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _content_type(headers: dict[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "content-type"), "binary/octet-stream")
