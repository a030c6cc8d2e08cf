"""Stands in for the compiled `runtime_client` module of awslambdaric where it cannot be loaded.

Each compiled module is for Linux and one Python version. This one speaks the same Runtime API through the standard
library, so that the rest of awslambdaric runs unchanged under any interpreter and on macOS. It runs inside the
function's process.
"""

from __future__ import annotations

import http.client
import os

_HEADERS = (
    "Content-Type",
    "Lambda-Runtime-Aws-Request-Id",
    "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Invoked-Function-Arn",
    "Lambda-Runtime-Client-Context",
    "Lambda-Runtime-Cognito-Identity",
    "Lambda-Runtime-Aws-Tenant-Id",
    "Lambda-Runtime-Invocation-Id",
)
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_INVOCATION = "/2018-06-01/runtime/invocation"
_connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
_user_agent = ""


def initialize_client(user_agent: str) -> None:
    """Keep the client's user agent for later requests."""
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int | None]]:  # noqa: A001 - the compiled module's name
    """Wait for the next event; return its body and headers, the deadline as a number as the compiled module does."""
    response, body = _call("GET", "/next")
    if response.status != 200:
        raise RuntimeError("Failed to get next")
    headers: dict[str, str | int | None] = {name: response.getheader(name) for name in _HEADERS}
    headers[_DEADLINE] = int(response.getheader(_DEADLINE, "0"))
    return body, headers


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None) -> None:
    """Send what the handler returned, already encoded."""
    headers = {"Content-Type": content_type}
    if _call("POST", f"/{invoke_id}/response", result, headers)[0].status != 202:
        raise RuntimeError("Failed to post invocation response")


def post_error(invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None) -> None:
    """Send a failure, already encoded."""
    headers = {"Content-Type": "application/json", "lambda-runtime-function-xray-error-cause": xray_fault}
    if _call("POST", f"/{invoke_id}/error", error.encode(), headers)[0].status != 202:
        raise RuntimeError("Failed to post invocation error")


def _call(
    method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    try:
        _connection.request(method, _INVOCATION + path, body, {"User-Agent": _user_agent, **(headers or {})})
        response = _connection.getresponse()
        return response, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeError(f"No response from the Runtime API: {error}") from error
