"""Puts an object into S3 without boto3 and without a second copy of it in memory."""

from __future__ import annotations

from base64 import b64encode
from zlib import crc32

from workmail_runtime.aws_request import AwsRequest, send
from workmail_runtime.aws_settings import read_settings
from workmail_runtime.chunk_stream import ChunkStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def put_object(
    bucket: str,
    key: str,
    chunks: Iterable[bytes | bytearray | memoryview],
    *,
    content_type: str,
    only_new: bool = False,
    deadline: float | None = None,
) -> str | None:
    """Put an object, with the checksum that S3 checks it by and that a bucket with Object Lock asks for.

    Args:
        bucket: In the function's Region.
        key: Of characters that a URL may have as they are.
        chunks: The content, one after the other.
        content_type: Its media type.
        only_new: Whether to leave an object of this key as it is: S3 then refuses with `PreconditionFailed`.
        deadline: The `time.monotonic()` at which to give up.

    Returns:
        The object's version, if the bucket keeps versions.

    Raises:
        ServiceError: S3 refused.
        ServiceUnreachableError: No try before the deadline got a usable answer.
    """
    settings = read_settings("S3")
    host = ".".join(["s3-fips" if settings.use_fips else "s3", *["dualstack"] * settings.use_dualstack])
    if settings.endpoint_url:
        # As boto3 does: a configured endpoint need not have a name for each bucket.
        url = f"{settings.endpoint_url}/{bucket}/{key}"
    elif "." in bucket:
        # No certificate is for a name below the name of a bucket.
        url = f"https://{host}.{settings.region}.amazonaws.com/{bucket}/{key}"
    else:
        url = f"https://{bucket}.{host}.{settings.region}.amazonaws.com/{key}"
    chunks = tuple(chunks)
    checksum = 0
    for chunk in chunks:
        checksum = crc32(chunk, checksum)
    headers = {
        "Content-Type": content_type,
        "x-amz-checksum-crc32": b64encode(checksum.to_bytes(4, "big")).decode(),
        "x-amz-sdk-checksum-algorithm": "CRC32",
        **({"If-None-Match": "*"} if only_new else {}),
    }
    request = AwsRequest("PUT", url, "s3", headers, ChunkStream(chunks), "x-amz-checksum-crc32")
    version = send(request, settings, deadline=deadline).headers.get("x-amz-version-id")
    return None if version == "null" else version
