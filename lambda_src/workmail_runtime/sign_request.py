"""AWS Signature Version 4 in the headers of a request.

botocore has it too, and loading what its signer stands on costs a cold start more than all that is done here.
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def signed_headers(
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    *,
    payload_hash: str,
    service: str,
    region: str,
    credentials: Any,
) -> dict[str, str]:
    """Return a request's headers with its host, the time and a signature over all of them.

    Args:
        method: The HTTP method.
        host: With its port, unless that is the scheme's own.
        path: Encoded, as it is sent, without a query.
        headers: The other headers.
        payload_hash: SHA-256 of the body in hexadecimal digits, or `UNSIGNED_PAYLOAD`.
        service: Its name in signatures, for example `s3`.
        region: The Region to sign for.
        credentials: Has `access_key`, `secret_key` and `token`, which is None for a user's.
    """
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = {**headers, "Host": host, "X-Amz-Date": now}
    if credentials.token:
        signed["X-Amz-Security-Token"] = credentials.token
    if service == "s3":
        signed["X-Amz-Content-SHA256"] = payload_hash
    else:
        path = quote(path, safe="/~")  # all services but S3 sign a path that is encoded once more
    values = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
    names = ";".join(name for name, _ in values)
    lines = "".join(f"{name}:{value}\n" for name, value in values)
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{payload_hash}"
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{now}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**signed, "Authorization": f"{_ALGORITHM} {signature}"}
