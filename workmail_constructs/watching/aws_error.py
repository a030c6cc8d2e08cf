"""Errors that boto3 raises."""

from __future__ import annotations


def error_code(error: Exception) -> str:
    """Return the code of an error that AWS answered; "" for one that came from no service."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
