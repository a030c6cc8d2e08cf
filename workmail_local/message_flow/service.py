"""Service `workmailmessageflow` on loopback: GetRawMessageContent and PutRawMessageContent (C1 to C9).

Errors have the form boto3 expects of a rest-json service: the name of the modelled error in `x-amzn-ErrorType`,
`{"message"}` in the body. A `ContentStore` holds the messages and an `ObjectReader` the updated contents; optional
callbacks decide on permissions and injected faults.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from aiohttp import web

from workmail_flow import limits
from workmail_flow.arns import GET_CONTENT, PUT_CONTENT
from workmail_local.credential import Credential
from workmail_local.message_flow.check_update import check_update

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workmail_local.access_keys import AccessKeys
    from workmail_local.records import MessageInTransit

_MESSAGE_ID = re.compile(limits.MESSAGE_ID_PATTERN)
_OBJECT_KEY = re.compile(limits.OBJECT_KEY_PATTERN)
_BUCKET_NAME = re.compile(limits.BUCKET_NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """Where the updated content of a PutRawMessageContent lies: its `s3Reference`."""

    bucket: str
    key: str
    version: str | None


@dataclass(frozen=True, slots=True)
class MessageFlowCall:
    """One call, before anything is read or changed: what permissions and faults are decided on."""

    action: str
    message: MessageInTransit
    access_key_id: str
    """The one in the request's SigV4 credential; it identifies the calling function."""


class MessageFlowError(Exception):
    """An error of the service's model; the caller reads its text."""

    def __init__(self, shape: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.shape = shape
        self.status = status


class ContentStore(Protocol):
    """Holds the messages in transit: each content as it came in and as it was updated."""

    async def find(self, message_id: str) -> MessageInTransit | None:
        """Return the message of this id, or None if there never was one."""
        ...

    async def read(self, message_id: str, *, original: bool = False) -> bytes:
        """Return its content: as last updated, or as it came in."""
        ...

    async def update(self, message_id: str, content: bytes) -> None:
        """Keep `content` as the message's new content. The store decides whether it is delivered (C4)."""
        ...


class ObjectUnavailableError(Exception):
    """The object of an `s3Reference` cannot be read; the text says why."""


class ObjectReader(Protocol):
    """Reads objects as WorkMail does; it checks no permissions."""

    async def read(self, location: ObjectLocation) -> bytes:
        """Return the object's bytes; raises ObjectUnavailableError."""
        ...


class S3Objects:
    """Objects in the S3 of the loopback AWS endpoint."""

    def __init__(self, endpoint: str, *, region: str, keys: AccessKeys) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._region = region
        self._headers = keys.authorization("s3", region=region)
        self._session: aiohttp.ClientSession | None = None

    async def make_bucket(self, name: str) -> None:
        """Make a bucket if it does not exist; raises ObjectUnavailableError."""
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
        store: Holds the messages.
        objects: Reads updated contents.
        keys: Only callers that sign with one of these are answered.
        admit: Called first for each operation on a message that exists, for permissions and injected faults; it may
            wait, or raise a MessageFlowError.
        check_put: Returns why WorkMail may not read the object (C5), as the hint of an InvalidContentLocation, or None.
        on_put: Called for each update that was kept, with advice about it that is no reason to refuse it (C8).
    """

    def __init__(
        self,
        store: ContentStore,
        *,
        objects: ObjectReader,
        keys: AccessKeys,
        admit: Callable[[MessageFlowCall], Awaitable[None]] | None = None,
        check_put: Callable[[MessageInTransit, ObjectLocation], str | None] | None = None,
        on_put: Callable[[MessageInTransit, tuple[str, ...]], None] | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._keys = keys
        self._admit = admit
        self._check_put = check_put
        self._on_put = on_put
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on any free port of 127.0.0.1 and return the endpoint's address."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_get("/messages/{message_id}", _answering(self._get))
        app.router.add_post("/messages/{message_id}", _answering(self._put))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        message = await self._admitted(request, GET_CONTENT)
        content = await self._store.read(message.message_id)
        return web.Response(body=content, content_type="application/octet-stream")

    async def _put(self, request: web.Request) -> web.StreamResponse:
        location = _location(await request.read())
        message = await self._admitted(request, PUT_CONTENT)
        content = await self._updated(message, location)
        original = await self._store.read(message.message_id, original=True)
        findings = await asyncio.to_thread(check_update, content, original=original)
        if findings.refused:
            raise MessageFlowError("MessageRejected", "; ".join(findings.refused))
        # A copy: later changes of the object have no effect.
        await self._store.update(message.message_id, content)
        if self._on_put is not None:
            self._on_put(message, findings.advice)
        return web.json_response({})

    async def _admitted(self, request: web.Request, action: str) -> MessageInTransit:
        credential = Credential.of_request(request.headers.get("Authorization"))
        if credential is None or not self._keys.issued(credential.key_id):
            raise MessageFlowError("UnrecognizedClientException", "The access key is not one of this run", status=403)
        message = await self._find(request)
        if self._admit is not None:
            await self._admit(MessageFlowCall(action, message, credential.key_id))
        return message

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

    async def _updated(self, message: MessageInTransit, location: ObjectLocation) -> bytes:
        if self._check_put is not None and (refusal := self._check_put(message, location)):
            raise invalid_location(refusal)
        try:
            return await self._objects.read(location)
        except ObjectUnavailableError as error:
            raise invalid_location(str(error)) from error


def _answering(
    operation: Callable[[web.Request], Awaitable[web.StreamResponse]],
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
    """Return the error for a message that does not exist or can no longer be read."""
    return MessageFlowError("ResourceNotFoundException", message, status=404)


def invalid_location(hint: str) -> MessageFlowError:
    """Return the error for a Put whose object WorkMail cannot read (C5), with a hint at the reason."""
    return MessageFlowError("InvalidContentLocation", f"WorkMail could not access the updated email content: {hint}")


def access_denied(message: str) -> MessageFlowError:
    """Return the error for a caller whose role does not allow the call."""
    return MessageFlowError("AccessDeniedException", message, status=403)


def _location(body: bytes) -> ObjectLocation:
    try:
        reference: Any = json.loads(body)["content"]["s3Reference"]
        location = ObjectLocation(reference["bucket"], reference["key"], reference.get("objectVersion"))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
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
