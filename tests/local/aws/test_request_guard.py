"""The local AWS as another user of this machine, or a page in the developer's browser, meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.aws.conftest import ROLE, LocalAws, function
from workmail_local.access_keys import AccessKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.xdist_group("aws")

TEMPLATE = json.dumps({"Resources": {"Role": ROLE, "Function": function()}})
CREATE_STACK = {"Action": "CreateStack", "StackName": "Stranger", "TemplateBody": TEMPLATE, "Version": "2010-05-15"}
WHO = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


def authorization(key: str, service: str = "cloudformation") -> dict[str, str]:
    scope = f"{key}/20260101/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}


def request(
    aws: LocalAws,
    headers: Mapping[str, str],
    *,
    path: str = "/",
    method: str = "POST",
    form: Mapping[str, str] = CREATE_STACK,
) -> urllib3.BaseHTTPResponse:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with urllib3.PoolManager(retries=False) as http:
        return http.request(method, aws.url + path, body=urlencode(form), headers={**kind, **headers})


def made_by_strangers(aws: LocalAws) -> list[Path]:
    return list(aws.state.glob("deployments/Stranger.*"))


STRANGERS: dict[str, dict[str, str]] = {
    "no credentials": {},
    "the key of every example": authorization("AKIAIOSFODNN7EXAMPLE"),
    "the key of every test": authorization("test"),
    "a guessed key": authorization(AccessKeys.random().developer),
    "an account of their choice": {"x-moto-account-id": "999999999999"},
    "signature version 2": {"Authorization": "AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl"},
}


@pytest.mark.parametrize("headers", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_deploys_nothing(aws: LocalAws, headers: dict[str, str]) -> None:
    refused = request(aws, headers)
    assert (refused.status, b"<Code>InvalidClientTokenId</Code>" in refused.data) == (403, True)
    assert b"workmail-flow local env" in refused.data
    assert made_by_strangers(aws) == []


@pytest.mark.parametrize(
    "headers",
    [
        *({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost.evil.example"}),
        *({"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Host": "[::1"}, {"Host": ""}),
    ],
    ids=str,
)
def test_no_page_of_another_site_reaches_it_even_with_a_key(aws: LocalAws, headers: dict[str, str]) -> None:
    refused = request(aws, {**authorization(aws.keys.developer), **headers})
    assert (refused.status, b"<Code>AccessDenied</Code>" in refused.data) == (403, True)
    assert made_by_strangers(aws) == []


def test_no_page_is_allowed_to_ask(aws: LocalAws) -> None:
    preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    asked = request(aws, preflight, method="OPTIONS", form={})
    answered = request(aws, {**authorization(aws.keys.developer, "sts"), "Origin": "http://localhost:3000"}, form=WHO)
    assert (asked.status, answered.status) == (403, 200)
    allowed = [name for name in (*asked.headers, *answered.headers) if name.lower().startswith("access-control")]
    assert allowed == []


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "list_buckets", "InvalidClientTokenId"),
        ("sqs", "list_queues", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("dynamodb", "list_tables", "UnrecognizedClientException"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
    ],
)
def test_a_client_reads_why_it_is_refused(aws: LocalAws, service: str, operation: str, code: str) -> None:
    client = aws.client(service, access_key="AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)()
    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert "AKIAIOSFODNN7EXAMPLE is unknown: take the credentials of this run" in error["Message"]


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/moto-api/seed?a=1"])
def test_motos_own_api_is_closed_even_to_the_developer(aws: LocalAws, path: str) -> None:
    aws.client("s3").create_bucket(Bucket="still-there")
    assert request(aws, authorization(aws.keys.developer, "s3"), path=path).status == 403
    aws.client("s3").head_bucket(Bucket="still-there")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_works_for_a_known_key_only(aws: LocalAws, version: str) -> None:
    aws.client("s3").create_bucket(Bucket="presigned")
    aws.client("s3").put_object(Bucket="presigned", Key="key", Body=b"content")

    def status(key: str) -> int:
        client = boto3.client(
            "s3",
            endpoint_url=aws.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key="x",
            config=Config(signature_version=version, s3={"addressing_style": "path"}),
        )
        address = client.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "key"})
        with urllib3.PoolManager(retries=False) as http:
            return http.request("GET", address).status

    assert (status(aws.keys.developer), status("AKIAIOSFODNN7EXAMPLE")) == (200, 403)


def test_a_bucket_may_be_a_name_under_localhost(aws: LocalAws) -> None:
    aws.client("s3").create_bucket(Bucket="named")
    aws.client("s3").put_object(Bucket="named", Key="key", Body=b"content")
    headers = {**authorization(aws.keys.developer, "s3"), "Host": f"named.localhost:{urlsplit(aws.url).port}"}
    with urllib3.PoolManager(retries=False) as http:
        found = http.request("GET", f"{aws.url}/key", headers=headers)
    assert (found.status, found.data) == (200, b"content")


def test_an_assumed_role_is_known_and_its_key_cannot_be_guessed(aws: LocalAws) -> None:
    role = {"RoleArn": "arn:aws:iam::123456789012:role/any", "RoleSessionName": "test"}
    keys = [aws.client("sts").assume_role(**role)["Credentials"]["AccessKeyId"] for _ in range(2)]
    known = [aws.client("sts", access_key=key).get_caller_identity()["Arn"] for key in keys]
    assert known == ["arn:aws:sts::123456789012:assumed-role/any/test"] * 2
    assert keys[0][:12] != keys[1][:12], "moto's own: the first twelve characters name the account"


def test_a_function_acts_in_no_account_of_its_choice(aws: LocalAws) -> None:
    headers = {**authorization(aws.keys.of_function("arn"), "sts"), "x-moto-account-id": "999999999999"}
    assert b"<Account>123456789012</Account>" in request(aws, headers, form=WHO).data


def test_other_users_find_no_secret_among_the_arguments(aws: LocalAws) -> None:
    assert aws.keys.secret not in Path(f"/proc/{aws.endpoint.pid}/cmdline").read_text()
    assert aws.keys.secret not in repr(aws.endpoint)
