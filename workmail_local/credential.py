"""Who signed a request to one of the local endpoints, and for what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qs

_SCOPE: Final = r"(?P<key_id>[A-Za-z0-9]{1,128})/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[A-Za-z0-9.-]+)/aws4_request"
# The whole header, so that moto, which searches it for a key id, finds no other one.
_HEADER: Final = re.compile(rf"AWS4-HMAC-SHA256 Credential={_SCOPE}, ?SignedHeaders=[a-z0-9;_-]+, ?Signature=[0-9a-f]+")
_IN_QUERY: Final = re.compile(_SCOPE)


@dataclass(frozen=True, slots=True)
class Credential:
    """The scope of a signature; the signature itself is not verified."""

    key_id: str
    region: str
    service: str

    @classmethod
    def of_request(cls, authorization: str | None, query: str = "") -> Self | None:
        """Return the credential of a request; None if it has none.

        Args:
            authorization: The request's Authorization header, if it has one.
            query: Its query string, where a presigned address has the credential.
        """
        if authorization is not None:
            found = _HEADER.fullmatch(authorization)
            return None if found is None else cls(**found.groupdict())
        match parse_qs(query):
            case {"X-Amz-Credential": [scope]}:
                found = _IN_QUERY.fullmatch(scope)
                return None if found is None else cls(**found.groupdict())
            case {"AWSAccessKeyId": [key_id]}:  # signature version 2, with which boto3 still presigns addresses of S3
                return cls(key_id, "us-east-1", "s3")
            case _:
                return None
