"""Calls the HTTP API of the local WorkMail. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class ApiFailedError(Exception):
    """The API answered with an error (`status`), or did not answer (`status` 0); the text says why."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """Calls of /v1. Each raises ApiFailedError.

    Args:
        url: The API's address, on loopback.
        token: What the API asks its callers for.
        timeout_s: Seconds to wait for an answer; `wait` has its own limit.
    """

    url: str
    token: str
    timeout_s: float = 60.0

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return a JSON answer."""
        answer: dict[str, Any] = json.loads(self._request("GET", path, query))
        return answer

    def post(self, path: str, body: bytes | dict[str, Any] = b"", method: str = "POST", **query: Any) -> dict[str, Any]:
        """Send a body and return the JSON answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(self._request(method, path, query, data))
        return answer

    def domains(self) -> list[str]:
        """Return the domains of every deployed organization."""
        return [
            domain for organization in self.get("/v1/status")["organizations"] for domain in organization["domains"]
        ]

    def access_key_id(self, account: str) -> str:
        """Return your access key id in an account; it is an error if no stack here is deployed to it."""
        keys: dict[str, str] = self.get("/v1/accounts")["accounts"]
        if account not in keys:
            raise ApiFailedError(f"found account {account}; stacks here are deployed to {', '.join(sorted(keys))}")
        return keys[account]

    def send(self, content: bytes, *, direction: str, mail_from: str, recipients: Sequence[str]) -> str:
        """Send a message and return its id; it is an error if WorkMail does not accept it."""
        answer = self.post("/v1/messages", content, direction=direction, mailFrom=mail_from, rcpt=list(recipients))
        return str(answer["id"])

    def wait(self, message_id: str | None = None, *, timeout_s: float = 60.0) -> bool:
        """Wait until a message, or every message, is done or held; return False if the time is over first."""
        query: dict[str, Any] = {"timeout": max(1, round(timeout_s))}
        if message_id is not None:
            query["message"] = message_id
        try:
            replace(self, timeout_s=timeout_s + 10).get("/v1/wait", **query)
        except ApiFailedError as error:
            if error.status == 408:
                return False
            raise
        return True

    def message(self, message_id: str) -> dict[str, Any]:
        """Return everything about a message."""
        return self.get(f"/v1/messages/{message_id}")

    def content(self, message_id: str, *, version: str = "delivered") -> bytes:
        """Return a message's content: `original`, `updated` or `delivered`."""
        return self._request("GET", f"/v1/messages/{message_id}/content", {"version": version})

    def events(self) -> Iterator[dict[str, Any]]:
        """Return each event from now on, as it happens."""
        connection = self._connect(timeout_s=None)
        try:
            connection.request("GET", "/v1/events", headers=self._headers)
            response = connection.getresponse()
            while line := response.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
        finally:
            connection.close()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _connect(self, *, timeout_s: float | None) -> HTTPConnection:
        address = urlsplit(self.url)
        return HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=timeout_s)

    def _request(self, method: str, path: str, query: dict[str, Any], body: bytes | None = None) -> bytes:
        connection = self._connect(timeout_s=self.timeout_s)
        path = quote(path)
        if query:
            path += f"?{urlencode(query, doseq=True)}"
        try:
            connection.request(method, path, body=body, headers=self._headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise ApiFailedError(f"the local WorkMail at {self.url} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status < 400:
            return content
        try:
            message = json.loads(content)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = content.decode("utf-8", "replace") or f"status {response.status}"
        raise ApiFailedError(message, status=response.status)
