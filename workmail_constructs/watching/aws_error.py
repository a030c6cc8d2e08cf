"""Errors that boto3 raises."""

from __future__ import annotations

from typing import Final

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


def error_code(error: Exception) -> str:
    """Return the code of an error that AWS answered; "" for one that came from no service."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def is_denied(error: Exception) -> bool:
    """Whether AWS answered that whoever asked has no right to; each service has its own code for it."""
    return error_code(error) in _DENIED
