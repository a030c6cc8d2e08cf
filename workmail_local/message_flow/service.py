"""Service `workmailmessageflow` on loopback: GetRawMessageContent and PutRawMessageContent (C1 to C9).

Errors look as boto3 expects them of a rest-json service: the modelled shape's name in `x-amzn-ErrorType`, `{"message"}`
in the body. What may be done with which message is asked of others: a `ContentStore` holds the messages, `ObjectReader`
the updated contents, and the optional callbacks the permissions and injected faults.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiohttp
from aiohttp import web

from workmail_flow import limits
from workmail_flow.vocabulary import FlowDirection
from workmail_local.loopback import unsigned_authorization
from workmail_local.message_flow.check_update import check_update

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GET: Final = "workmailmessageflow:GetRawMessageContent"
PUT: Final = "workmailmessageflow:PutRawMessageContent"

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")
_MESSAGE_ID = re.compile(limits.MESSAGE_ID_PATTERN)
_OBJECT_KEY = re.compile(limits.OBJECT_KEY_PATTERN)
_BUCKET_NAME = re.compile(limits.BUCKET_NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class MessageInTransit:
    """What the service knows of a message before it reads any content."""

    message_id: str
    organization_id: str
    direction: FlowDirection
    age_s: float
    """Since it was accepted, in WorkMail's time; past 24 hours it is not found (C2)."""
    frozen: bool = False
    """Not eligible for update (C7)."""

    def arn(self, *, region: str, account: str) -> str:
        """Return the message's ARN (C3)."""
        context = "incoming" if self.direction is FlowDirection.INBOUND else "outgoing"
        return (
            f"arn:aws:workmailmessageflow:{region}:{account}:message/{self.organization_id}/{context}/{self.message_id}"
        )


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """Where PutRawMessageContent is told to find the updated content: its `s3Reference`."""

    bucket: str
    key: str
    version: str | None


@dataclass(frozen=True, slots=True)
class MessageFlowCall:
    """One call as permissions and faults are asked about it, before anything is read or changed."""

    action: str
    message: MessageInTransit
    access_key_id: str | None
    """Of the request's SigV4 credential: it tells which function calls."""
    location: ObjectLocation | None = None


class MessageFlowError(Exception):
    """An error as the service's model names it; the text is what the caller reads."""

    def __init__(self, shape: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.shape = shape
        self.status = status


class ContentStore(Protocol):
    """Holds the messages in transit, their contents as they came and as they were updated."""

    async def find(self, message_id: str) -> MessageInTransit | None:
        """Return the message, or None if there never was one of this id."""
        ...

    async def read(self, message_id: str, *, original: bool = False) -> bytes:
        """Return its content: as last updated, or as it came in."""
        ...

    async def update(self, message_id: str, content: bytes) -> None:
        """Keep `content` as the message's new one, durably before returning. Whether it shows is the store's (C4)."""
        ...


class ObjectUnavailableError(Exception):
    """The object of an `s3Reference` cannot be read; the text says why."""


class ObjectReader(Protocol):
    """Reads objects as WorkMail does; permissions are judged elsewhere."""

    async def read(self, location: ObjectLocation) -> bytes:
        """Return the object's bytes; raises ObjectUnavailableError."""
        ...


class S3Objects:
    """Objects of the loopback AWS endpoint's S3, read with dummy credentials."""

    def __init__(self, endpoint: str, *, region: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._region = region
        self._headers = unsigned_authorization("s3", region=region)
        self._session: aiohttp.ClientSession | None = None

    async def make_bucket(self, name: str) -> None:
        """Make a bucket, unless it is there; raises ObjectUnavailableError."""
        region = self._region
        body = (
            f"<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
        async with self._open().put(f"{self._endpoint}/{name}", data="" if region == "us-east-1" else body) as response:
            if response.status not in (200, 409):
                raise ObjectUnavailableError(f"bucket {name} could not be made: status {response.status}")

    async def read(self, location: ObjectLocation) -> bytes:
        """Return the object's bytes; raises ObjectUnavailableError."""
        params = {"versionId": location.version} if location.version else {}
        url = f"{self._endpoint}/{location.bucket}/{location.key}"
        try:
            async with self._open().get(url, params=params) as response:
                if response.status != 200:
                    code = re.search(r"<Code>(\w+)</Code>", await response.text())
                    reason = code.group(1) if code else f"status {response.status}"
                    raise ObjectUnavailableError(f"s3://{location.bucket}/{location.key}: {reason}")
                return await response.read()
        except aiohttp.ClientError as error:
            raise ObjectUnavailableError(f"S3 at {self._endpoint} did not answer: {error}") from error

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, trust_env=False)
        return self._session


class MessageFlowService:
    """The two operations over HTTP.

    Args:
        store: The messages.
        objects: Where updated contents are read from; without it every Put is an InvalidContentLocation.
        admit: Called first for each operation on a message that exists; it may wait, or raise a MessageFlowError: the
            caller's permissions and injected faults.
        check_put: Returns why WorkMail may not read the object (C5), as the hint of an InvalidContentLocation, or None.
        on_put: Told of every update that was kept, with the advice that refused nothing (C8).
    """

    def __init__(
        self,
        store: ContentStore,
        *,
        objects: ObjectReader | None = None,
        admit: Callable[[MessageFlowCall], Awaitable[None]] | None = None,
        check_put: Callable[[MessageInTransit, ObjectLocation], str | None] | None = None,
        on_put: Callable[[MessageInTransit, tuple[str, ...]], None] | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._admit = admit
        self._check_put = check_put
        self._on_put = on_put
        self._runner: web.AppRunner | None = None

    def application(self) -> web.Application:
        """Return the service as an aiohttp application."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_get("/messages/{message_id}", self._answering(self._get))
        app.router.add_post("/messages/{message_id}", self._answering(self._put))
        return app

    async def start(self, *, port: int = 0) -> str:
        """Listen on 127.0.0.1 (port 0: any free one) and return the endpoint's address."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        return f"http://{host}:{bound}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        message = await self._find(request)
        await self._admitted(MessageFlowCall(GET, message, _access_key_id(request)))
        content = await self._store.read(message.message_id)
        return web.Response(body=content, content_type="application/octet-stream")

    async def _put(self, request: web.Request) -> web.StreamResponse:
        location = _location(await request.read())
        message = await self._find(request)
        await self._admitted(MessageFlowCall(PUT, message, _access_key_id(request), location))
        if message.frozen:
            raise MessageFlowError("MessageFrozen", "The requested email is not eligible for update (C7).")
        content = await self._updated(message, location)
        original = await self._store.read(message.message_id, original=True)
        findings = await asyncio.to_thread(check_update, content, original=original)
        if findings.refused:
            raise MessageFlowError("MessageRejected", "; ".join(findings.refused))
        # A copy: what happens to the object later changes nothing.
        await self._store.update(message.message_id, content)
        if self._on_put is not None:
            self._on_put(message, findings.advice)
        return web.json_response({})

    async def _find(self, request: web.Request) -> MessageInTransit:
        message_id = request.match_info["message_id"]
        if not _MESSAGE_ID.fullmatch(message_id):
            raise MessageFlowError("ValidationException", f"messageId must match {limits.MESSAGE_ID_PATTERN} (E8)")
        message = await self._store.find(message_id)
        if message is None:
            raise not_found(f"Message {message_id} does not exist")
        if message.age_s >= limits.CONTENT_READABLE_HOURS * 3600:
            raise not_found(f"Message {message_id} is past its {limits.CONTENT_READABLE_HOURS} hours (C2)")
        return message

    async def _admitted(self, call: MessageFlowCall) -> None:
        if self._admit is not None:
            await self._admit(call)

    async def _updated(self, message: MessageInTransit, location: ObjectLocation) -> bytes:
        refusal = self._check_put(message, location) if self._check_put is not None else None
        if refusal is None:
            if self._objects is None:
                refusal = "there is no S3 beside this message flow"
            else:
                try:
                    return await self._objects.read(location)
                except ObjectUnavailableError as error:
                    refusal = str(error)
        raise invalid_location(refusal)

    def _answering(
        self, operation: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await operation(request)
            except MessageFlowError as error:
                return web.json_response(
                    {"message": str(error)}, status=error.status, headers={"x-amzn-ErrorType": error.shape}
                )

        return answer


def not_found(message: str) -> MessageFlowError:
    """Return the error of a message that cannot be read (any more)."""
    return MessageFlowError("ResourceNotFoundException", message, status=404)


def invalid_location(hint: str) -> MessageFlowError:
    """Return the error of a Put whose object WorkMail cannot read (C5), with what to look at."""
    return MessageFlowError("InvalidContentLocation", f"WorkMail could not access the updated email content: {hint}")


def access_denied(message: str) -> MessageFlowError:
    """Return the error of a caller whose role does not allow the call."""
    return MessageFlowError("AccessDeniedException", message, status=403)


def _access_key_id(request: web.Request) -> str | None:
    found = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    return found.group(1) if found else None


def _location(body: bytes) -> ObjectLocation:
    try:
        reference: Any = json.loads(body)["content"]["s3Reference"]
        location = ObjectLocation(reference["bucket"], reference["key"], reference.get("objectVersion"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MessageFlowError(
            "ValidationException",
            'the body must be {"content": {"s3Reference": {"bucket", "key", "objectVersion"?}}} (C1)',
        ) from None
    for name, value, pattern in (
        ("bucket", location.bucket, _BUCKET_NAME),
        ("key", location.key, _OBJECT_KEY),
    ):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise MessageFlowError("ValidationException", f"s3Reference.{name} must match {pattern.pattern} (C6)")
    return location
