"""Signatures, judged by botocore's signer."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from hashlib import sha256
from unittest.mock import patch

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from workmail_runtime.sign_request import UNSIGNED_PAYLOAD, signed_headers

SEGMENTS = st.lists(st.text(string.ascii_letters + string.digits + "-_.~%@+=:", min_size=1), max_size=4).filter(
    lambda segments: not {".", ".."}.intersection(segments)
)
NAMES = st.sampled_from(["Content-Type", "X-Amz-Target", "x-amz-checksum-crc32", "If-None-Match", "x-amz-a"])
VALUES = st.text(string.ascii_letters + string.digits + " =/;*-_.", max_size=30).map(str.strip)


@given(
    method=st.sampled_from(["GET", "PUT", "POST"]),
    host=st.sampled_from(["s3.eu-west-1.amazonaws.com", "localhost:4566", "127.0.0.1:80"]),
    segments=SEGMENTS,
    headers=st.dictionaries(NAMES, VALUES),
    body=st.binary(max_size=40),
    service=st.sampled_from(["s3", "dynamodb", "workmailmessageflow"]),
    token=st.none() | st.text(string.ascii_letters + "+/=", min_size=1),
    is_unsigned=st.booleans(),
)
def test_as_botocore_signs(
    method: str,
    host: str,
    segments: list[str],
    headers: dict[str, str],
    body: bytes,
    service: str,
    token: str | None,
    is_unsigned: bool,
) -> None:
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "secret/key+", token)
    path = f"/{'/'.join(segments)}"
    is_unsigned = is_unsigned and service == "s3"
    ours = signed_headers(
        method,
        host,
        path,
        headers,
        payload_hash=UNSIGNED_PAYLOAD if is_unsigned else sha256(body).hexdigest(),
        service=service,
        region="eu-west-1",
        credentials=credentials,
    )
    # With a port that is not the scheme's own, and one that is.
    url = f"{'https' if host.endswith(':80') else 'http'}://{host}{path}"
    request = AWSRequest(method, url, headers=dict(headers), data=body)
    request.context["payload_signing_enabled"] = not is_unsigned
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, "eu-west-1")
    signed_at = datetime.strptime(ours["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with patch("botocore.auth.get_current_datetime", return_value=signed_at):
        if is_unsigned:
            with patch.object(S3SigV4Auth, "_should_sha256_sign_payload", return_value=False):
                signer.add_auth(request)
        else:
            signer.add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in ours.items()} == {**theirs, "host": host}
