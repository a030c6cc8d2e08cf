"""The made-up credentials a local function signs its calls with, which tell the endpoints who calls."""

from __future__ import annotations

import hashlib

SECRET_ACCESS_KEY = "local"  # noqa: S105 - made up; opens nothing
SESSION_TOKEN = "local"  # noqa: S105 - made up; opens nothing


def access_key_id(function_arn: str) -> str:
    """Return the access key id of a function: the same for the same ARN, 20 characters as AWS's are."""
    digest = hashlib.sha256(function_arn.encode()).hexdigest()[:11].upper()
    return f"AKIALOCAL{digest}"
