"""Secrets are read when needed, kept for a stated time, and read again when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from workmail_rules import StepError, secret
from workmail_rules.secret import MAX_AGE_S, forget_secret, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def secrets(local_aws: str) -> Iterator[Any]:
    client = boto3.client("secretsmanager", endpoint_url=local_aws, region_name="eu-west-1")
    yield client
    client.close()


def test_a_secret_is_kept_until_it_is_too_old_or_forgotten(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = secrets.create_secret(Name="token", SecretString="first")["ARN"]
    assert read_secret(arn) == "first"
    secrets.put_secret_value(SecretId=arn, SecretString="second")
    assert read_secret(arn) == "first"
    forget_secret(arn)
    assert read_secret(arn) == "second"
    secrets.put_secret_value(SecretId=arn, SecretString="third")
    now = secret.time.monotonic
    monkeypatch.setattr(secret.time, "monotonic", lambda: now() + MAX_AGE_S + 1)
    assert read_secret(arn) == "third"


def test_a_binary_secret_is_refused(secrets: Any) -> None:
    arn = secrets.create_secret(Name="binary", SecretBinary=b"\0")["ARN"]
    with pytest.raises(StepError, match="found a binary secret"):
        read_secret(arn)
