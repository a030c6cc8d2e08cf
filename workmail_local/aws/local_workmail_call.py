"""Calls of the AWS endpoint to the local WorkMail that runs with the same state folder."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from workmail_local.state_file import READY_FILE

if TYPE_CHECKING:
    from pathlib import Path

_WAIT_S: Final = 20.0


def call_local_workmail(state: Path, path: str, body: dict[str, Any]) -> tuple[int, str]:
    """Send a request to the local WorkMail's API; return its status, and its error if it answered one.

    Raises:
        OSError, HTTPException: It does not run, or does not answer.
        ValueError, LookupError, TypeError: What it left in the state folder, or answers, cannot be read.
    """
    ready = json.loads((state / READY_FILE).read_bytes())
    address = urlsplit(ready["api"])
    connection = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=_WAIT_S)
    try:
        headers = {"Authorization": f"Bearer {ready['token']}"}
        connection.request("POST", path, body=json.dumps(body).encode(), headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    return response.status, str(answer.get("error", {}).get("message", ""))
