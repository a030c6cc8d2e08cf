"""Who signed a request: read strictly, so that no other reader finds another key in it."""

from __future__ import annotations

import pytest

from workmail_local.credential import Credential

SCOPE = "AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request"
SIGNED = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature=0123abcd"
EXPECTED = Credential("AKIAIOSFODNN7EXAMPLE", "eu-west-1", "s3")


@pytest.mark.parametrize("header", [SIGNED, SIGNED.replace(", ", ",")])
def test_the_credential_of_a_header(header: str) -> None:
    assert Credential.of_request(header) == EXPECTED


def test_the_credential_of_a_presigned_address() -> None:
    assert Credential.of_request(None, f"X-Amz-Credential={SCOPE.replace('/', '%2F')}&X-Amz-Date=1") == EXPECTED
    found = Credential.of_request(None, "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=1")
    assert found == Credential("AKIAIOSFODNN7EXAMPLE", "us-east-1", "s3")


@pytest.mark.parametrize(
    ("header", "query"),
    [
        *((None, query) for query in ("", "X-Amz-Credential=x", f"X-Amz-Credential={SCOPE}&X-Amz-Credential={SCOPE}")),
        *((header, "") for header in ("", "x", SIGNED[:-1] + "Z", SIGNED + "/", f"{SIGNED},{SIGNED}", f" {SIGNED}")),
        ("x", f"X-Amz-Credential={SCOPE}"),
    ],
)
def test_what_is_not_plainly_signed_has_none(header: str | None, query: str) -> None:
    assert Credential.of_request(header, query) is None
