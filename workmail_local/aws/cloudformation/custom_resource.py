"""Custom resources: a function runs while the stack is being made, and answers as it would answer CloudFormation."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, cast
from uuid import uuid4

from moto.cloudformation.exceptions import ValidationError

from workmail_local.aws.cloudformation.provider import Provider

if TYPE_CHECKING:
    from workmail_local.aws.cloudformation.provider import ResourceRequest

_LONGEST_ANSWER: Final = 4096
"""Bytes that CloudFormation takes."""


class CustomResourceFunctions(Protocol):
    """Runs the functions of custom resources."""

    def run(self, request: ResourceRequest, event: dict[str, Any]) -> str:
        """Run the function that the resource's ServiceToken names until it ends; return how it ended, for people."""
        ...


@dataclass(frozen=True, slots=True)
class CustomResource:
    """A custom resource: Ref gives its physical id, GetAtt what its function returned as `Data`."""

    physical_resource_id: str
    request: ResourceRequest
    data: dict[str, Any] = field(default_factory=dict)

    def get_cfn_attribute(self, name: str) -> Any:
        """The value of that name in `Data`."""
        if name not in self.data:
            raise ValidationError(
                message=f"CustomResource attribute error: Vendor response doesn't contain {name} attribute"
            )
        return self.data[name]


class CustomResourceProvider(Provider):
    """Asks the function of a custom resource to create, update or delete it.

    Attributes:
        functions: Set once, before any stack is made.
    """

    functions: ClassVar[CustomResourceFunctions]

    def create(self, request: ResourceRequest) -> CustomResource:
        """Have the function create the resource."""
        return self._ask("Create", request)

    def update(self, request: ResourceRequest, existing: CustomResource) -> CustomResource:
        """Have the function update the resource.

        If that gave another physical id, the former one is deleted at once; AWS does so after the stack's update.
        """
        former = _as_strings(existing.request.properties)
        updated = self._ask(
            "Update", request, PhysicalResourceId=existing.physical_resource_id, OldResourceProperties=former
        )
        if updated.physical_resource_id != existing.physical_resource_id:
            self.delete(request, existing)
        return updated

    def delete(self, request: ResourceRequest, existing: CustomResource) -> None:
        """Have the function delete the resource."""
        self._ask("Delete", existing.request, PhysicalResourceId=existing.physical_resource_id)

    def _ask(self, request_type: str, request: ResourceRequest, **more: Any) -> CustomResource:
        with _AnswerAddress() as address:
            event = {
                "RequestType": request_type,
                "ResponseURL": address.url,
                "StackId": request.stack_id,
                "RequestId": str(uuid4()),
                "ResourceType": request.type,
                "LogicalResourceId": request.logical_id,
                "ServiceToken": request.properties["ServiceToken"],
                "ResourceProperties": _as_strings(request.properties),
                **more,
            }
            ended = self.functions.run(request, event)
        if address.body is None:
            raise ValidationError(message=f"The function of the custom resource did not answer: {ended}")
        return _taken(address.body, request)


def _as_strings(value: Any) -> Any:
    """Return properties as a function gets them: every number and truth value is a string."""
    if isinstance(value, dict):
        return {name: _as_strings(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_strings(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _taken(body: bytes, request: ResourceRequest) -> CustomResource:
    try:
        answer = json.loads(body)
        if answer["Status"] == "SUCCESS":
            return CustomResource(str(answer["PhysicalResourceId"]), request, dict(answer.get("Data") or {}))
        reason = f"{answer['Reason']} (RequestId: {answer['RequestId']})"
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValidationError(message="Invalid response from the function of the custom resource") from None
    raise ValidationError(message=f"Received response status [FAILED] from custom resource. Message returned: {reason}")


class _AnswerAddress:
    """Takes the answer, at an address on loopback that nobody can guess, as a presigned one of S3 would be."""

    def __enter__(self) -> Self:
        self._server = _AnswerServer(("127.0.0.1", 0), _AnswerHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{self._server.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def body(self) -> bytes | None:
        """The answer; None if there was none."""
        return self._server.body


class _AnswerServer(HTTPServer):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.address = f"/answer?Signature={secrets.token_urlsafe(32)}"
        self.body: bytes | None = None


class _AnswerHandler(BaseHTTPRequestHandler):
    timeout = 5

    def do_PUT(self) -> None:
        server = cast("_AnswerServer", self.server)
        length = self.headers.get("Content-Length", "")
        if not hmac.compare_digest(self.path.encode(), server.address.encode()):
            self._reply(403)
        elif not length.isdecimal() or int(length) > _LONGEST_ANSWER:
            self._reply(400)
        else:
            server.body = self.rfile.read(int(length))
            self._reply(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Log nothing: the address is a secret."""

    def _reply(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
