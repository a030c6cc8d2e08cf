"""The made-up credentials of a local function; the local endpoints recognize the caller by them."""

from __future__ import annotations

import hashlib

SECRET_ACCESS_KEY = "local"  # noqa: S105 - made up; opens nothing
SESSION_TOKEN = "local"  # noqa: S105 - made up; opens nothing


def access_key_id(function_arn: str) -> str:
    """Return the access key id of a function: always the same per ARN, and as long as AWS's, 20 characters."""
    digest = hashlib.sha256(function_arn.encode()).hexdigest()[:11].upper()
    return f"AKIALOCAL{digest}"
