"""A DynamoDB and a Secrets Manager on loopback, which share no code with ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from workmail_flow.packed_steps import ONCE_TABLE_VARIABLE
from workmail_runtime.aws_request import close_idle_connections

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Return the address of a moto server."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def local_aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let calls to AWS go to a moto server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    try:
        yield moto_url
    finally:
        close_idle_connections()


@pytest.fixture
def once_table(local_aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make the table that a rule's steps share."""
    table = boto3.resource("dynamodb", endpoint_url=local_aws, region_name="eu-west-1").create_table(
        TableName="steps",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    monkeypatch.setenv(ONCE_TABLE_VARIABLE, "steps")
    yield table
    table.delete()
    table.meta.client.close()
