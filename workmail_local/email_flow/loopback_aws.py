"""Calls of the local WorkMail itself to the loopback AWS endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from workmail_local.access_keys import AccessKeys

_LONGEST_CALL: Final = aiohttp.ClientTimeout(total=10)


class LoopbackAws:
    """A client of the endpoint, for services with the query protocol and with JSON 1.1."""

    def __init__(self, endpoint: str, keys: AccessKeys) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._keys = keys
        self._session: aiohttp.ClientSession | None = None

    async def query(self, service: str, *, region: str, account: str, form: dict[str, str]) -> str | None:
        """Call an operation of the query protocol; return what prevented it, or None."""
        return await self._call(service, region, account, {"data": form})

    async def json(self, service: str, target: str, *, region: str, account: str, body: dict[str, Any]) -> str | None:
        """Call an operation of JSON 1.1; return what prevented it, which begins with the error's code, or None."""
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        return await self._call(service, region, account, {"data": json.dumps(body).encode()}, headers)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    async def _call(
        self, service: str, region: str, account: str, request: dict[str, Any], headers: dict[str, str] | None = None
    ) -> str | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False, timeout=_LONGEST_CALL)
        signed = self._keys.authorization(service, region=region, account=account) | (headers or {})
        try:
            async with self._session.post(f"{self.endpoint}/", headers=signed, **request) as response:
                if response.status == 200:
                    return None
                return f"{_code(await response.read())}{service} answered {response.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"{service} did not answer: {error or type(error).__name__}"


def _code(body: bytes) -> str:
    """Return the code of a JSON error, with a colon after it; "" for any other body."""
    try:
        code = json.loads(body)["__type"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return f"{str(code).rpartition('#')[2]}: "
