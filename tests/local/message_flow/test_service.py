"""The message flow service, called by the real boto3 client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from workmail_flow.vocabulary import FlowDirection
from workmail_local.access_keys import AccessKeys
from workmail_local.message_flow import service
from workmail_local.message_flow.service import (
    MessageFlowCall,
    MessageFlowError,
    MessageFlowService,
    ObjectLocation,
    ObjectUnavailableError,
)
from workmail_local.records import MessageInTransit

if TYPE_CHECKING:
    from collections.abc import Callable

ORGANIZATION = "m-0123456789abcdef0123456789abcdef"
MESSAGE = b"From: a@example.com\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nSubject: x\r\n\r\nhello\r\n"
KEYS = AccessKeys.random()
KEPT = ObjectLocation("updated-mail", "a-1/updated", None)


@dataclass
class Messages:
    age_s: float = 0
    contents: list[bytes] = field(default_factory=lambda: [MESSAGE])

    async def find(self, message_id: str) -> MessageInTransit | None:
        if message_id != "a-1":
            return None
        return MessageInTransit(message_id, ORGANIZATION, FlowDirection.INBOUND, self.age_s)

    async def read(self, message_id: str, *, original: bool = False) -> bytes:
        return self.contents[0 if original else -1]

    async def update(self, message_id: str, content: bytes) -> None:
        self.contents.append(content)


@dataclass
class Objects:
    objects: dict[ObjectLocation, bytes] = field(default_factory=dict)

    async def read(self, location: ObjectLocation) -> bytes:
        try:
            return self.objects[location]
        except KeyError:
            raise ObjectUnavailableError("NoSuchKey") from None


def call(service: MessageFlowService, use: Callable[[Any], Any], key: str = KEYS.developer) -> Any:
    async def run() -> Any:
        endpoint = await service.start()
        client: Any = boto3.client(
            "workmailmessageflow",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key="test",
        )
        try:
            return await asyncio.to_thread(use, client)
        finally:
            client.close()
            await service.close()

    return asyncio.run(run())


def put(client: Any, **reference: str) -> Any:
    reference = {"bucket": KEPT.bucket, "key": KEPT.key} | reference
    return client.put_raw_message_content(messageId="a-1", content={"s3Reference": reference})


def refusal(service: MessageFlowService, use: Callable[[Any], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(service, use)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.fact("C1")
def test_content_is_returned_byte_for_byte() -> None:
    raw = MESSAGE + bytes(range(256))
    service = MessageFlowService(Messages(contents=[raw]), keys=KEYS, objects=Objects())
    assert call(service, lambda c: c.get_raw_message_content(messageId="a-1")["messageContent"].read()) == raw


@pytest.mark.fact("C2")
def test_a_message_is_readable_for_24_hours() -> None:
    def get(client: Any) -> int:
        status: int = client.get_raw_message_content(messageId="a-1")["ResponseMetadata"]["HTTPStatusCode"]
        return status

    assert call(MessageFlowService(Messages(age_s=24 * 3600 - 1), keys=KEYS, objects=Objects()), get) == 200
    with pytest.raises(ClientError, match="ResourceNotFoundException") as raised:
        call(MessageFlowService(Messages(age_s=24 * 3600), keys=KEYS, objects=Objects()), get)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.fact("C1", "E8")
def test_what_does_not_exist_is_a_modelled_exception() -> None:
    def use(client: Any) -> str:
        with pytest.raises(client.exceptions.ResourceNotFoundException) as raised:
            client.get_raw_message_content(messageId="unknown")
        return str(raised.value)

    assert "Message unknown does not exist" in call(MessageFlowService(Messages(), keys=KEYS, objects=Objects()), use)


@pytest.mark.fact("C1", "C4")
def test_an_update_is_copied_out_of_s3_and_read_back() -> None:
    messages, updated = Messages(), MESSAGE.replace(b"hello", b"updated")
    service = MessageFlowService(messages, keys=KEYS, objects=Objects({KEPT: updated}))

    def use(client: Any) -> bytes:
        put(client)
        body: bytes = client.get_raw_message_content(messageId="a-1")["messageContent"].read()
        return body

    assert call(service, use) == updated
    assert messages.contents == [MESSAGE, updated]


@pytest.mark.fact("C5")
def test_an_object_workmail_may_not_read_is_an_invalid_location_with_the_hint() -> None:
    service = MessageFlowService(
        Messages(),
        keys=KEYS,
        objects=Objects({KEPT: MESSAGE}),
        check_put=lambda message, where: f"{where.bucket} has no policy",
    )
    code, message = refusal(service, put)
    assert (code, "updated-mail has no policy" in message) == ("InvalidContentLocation", True)


@pytest.mark.fact("C5")
def test_a_missing_object_is_an_invalid_location() -> None:
    code, message = refusal(MessageFlowService(Messages(), keys=KEYS, objects=Objects()), put)
    assert (code, "NoSuchKey" in message) == ("InvalidContentLocation", True)


@pytest.mark.fact("C6")
@pytest.mark.parametrize(
    ("name", "value"), [("key", "a.eml"), ("key", "a_b"), ("bucket", "Upper"), ("bucket", "a.b.c")]
)
def test_keys_and_buckets_follow_their_patterns(name: str, value: str) -> None:
    code, message = refusal(
        MessageFlowService(Messages(), keys=KEYS, objects=Objects()), lambda c: put(c, **{name: value})
    )
    assert (code, f"s3Reference.{name} must match" in message) == ("ValidationException", True)


@pytest.mark.fact("C7")
def test_a_frozen_message_stays_as_it_is() -> None:
    async def admit(_: MessageFlowCall) -> None:
        raise MessageFlowError("MessageFrozen", "redirected")

    messages = Messages()
    code, _ = refusal(MessageFlowService(messages, keys=KEYS, objects=Objects({KEPT: MESSAGE}), admit=admit), put)
    assert (code, messages.contents) == ("MessageFrozen", [MESSAGE])


@pytest.mark.fact("C8")
def test_a_faulty_update_is_rejected_with_every_fault() -> None:
    messages = Messages()
    faulty = MESSAGE.replace(b"Subject: x", b"Subject: x\r\nSubject: y") + b"x" * 1000
    code, message = refusal(MessageFlowService(messages, keys=KEYS, objects=Objects({KEPT: faulty})), put)
    assert (code, messages.contents) == ("MessageRejected", [MESSAGE])
    assert "Subject may appear once" in message
    assert "longer than 1,000 bytes" in message


def test_the_caller_is_known_by_its_access_key_and_may_be_refused() -> None:
    calls: list[MessageFlowCall] = []

    async def admit(call: MessageFlowCall) -> None:
        calls.append(call)

    call(
        MessageFlowService(Messages(), keys=KEYS, objects=Objects(), admit=admit),
        lambda c: c.get_raw_message_content(messageId="a-1"),
    )
    assert [(seen.action, seen.access_key_id) for seen in calls] == [
        ("workmailmessageflow:GetRawMessageContent", KEYS.developer)
    ]


@pytest.mark.parametrize("key", ["AKIAIOSFODNN7EXAMPLE", AccessKeys.random().developer], ids=["example", "other run"])
def test_a_stranger_reads_and_updates_nothing(key: str) -> None:
    messages = Messages()
    service = MessageFlowService(messages, keys=KEYS, objects=Objects({KEPT: MESSAGE}))

    def codes(client: Any) -> list[str]:
        found = []
        for use in (lambda: client.get_raw_message_content(messageId="a-1"), lambda: put(client)):
            with pytest.raises(ClientError) as raised:
                use()
            found.append(raised.value.response["Error"]["Code"])
        return found

    assert call(service, codes, key) == ["UnrecognizedClientException"] * 2
    assert messages.contents == [MESSAGE]


@pytest.mark.fact("C3")
def test_message_arn_names_organization_and_context() -> None:
    message = MessageInTransit("a-1", ORGANIZATION, FlowDirection.OUTBOUND, 0)
    assert message.arn(region="us-east-1", account="123456789012") == (
        f"arn:aws:workmailmessageflow:us-east-1:123456789012:message/{ORGANIZATION}/outgoing/a-1"
    )


@pytest.mark.fact("C1")
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"[" * 60_000, b'{"content": []}', b"\xff"], ids=len)
def test_a_put_of_no_reference_is_refused(body: bytes) -> None:
    with pytest.raises(MessageFlowError, match="the body must be") as refused:
        service._location(body)
    assert refused.value.shape == "ValidationException"
