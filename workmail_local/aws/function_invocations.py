"""Lambda's Invoke, which moto answers only with Docker: the running local WorkMail runs the function."""

from __future__ import annotations

import json
import re
import uuid
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from werkzeug.wrappers import Response

from workmail_flow.arns import UNPUBLISHED
from workmail_local.aws.local_workmail_call import call_local_workmail
from workmail_local.aws.refusal import refusal
from workmail_local.aws.request_guard import credential_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workmail_local.aws.function_identities import FunctionIdentities

_INVOKE: Final = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
_MAX_EVENT_BYTES: Final = 1024 * 1024
"""The largest event of an asynchronous invocation (AWS Lambda quotas)."""
_INVALID: Final = "InvalidRequestContentException"


def invoked_function(environ: dict[str, Any], *, region: str, account: str) -> str | None:
    """Return the ARN of the function, version or alias that a request invokes; None for any other request.

    Args:
        environ: The request, which may name the function in each of Lambda's ways.
        region: The request's own.
        account: The request's own.
    """
    if environ["REQUEST_METHOD"] != "POST":
        return None
    found = _INVOKE.fullmatch(environ.get("PATH_INFO", ""))
    if found is None:
        return None
    named = unquote(found[1])
    if named.startswith("arn:"):
        arn, parts = named, named.split(":")
    else:
        name = named.partition("function:")[2] or named
        arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
        parts = arn.split(":")
    qualifier = "".join(parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier", ()))
    if qualifier and len(parts) == 7:
        arn += f":{qualifier}"
    return arn.removesuffix(f":{UNPUBLISHED}")


class FunctionInvocations:
    """WSGI middleware, behind `FunctionAccess`. Asynchronous invocations and dry runs only.

    Args:
        application: What answers all other requests.
        state: The state folder, whose local WorkMail runs the function; without one nothing does.
        identities: Give the account that a request acts in.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], *, state: Path | None, identities: FunctionIdentities
    ) -> None:
        self._application = application
        self._state = state
        self._identities = identities

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or pass the request on."""
        credential = credential_of(environ)
        account = self._identities.account_of_key(credential.key_id)
        function = invoked_function(environ, region=credential.region, account=account)
        if function is None:
            return self._application(environ, start_response)
        return self._invoke(environ, function)(environ, start_response)

    def _invoke(self, environ: dict[str, Any], function: str) -> Response:
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if kind not in {"Event", "DryRun"}:
            message = (
                f"InvocationType {kind}: the local AWS takes Event and DryRun; the function runs when mail reaches its "
                "rule: `workmail-flow local send`"
            )
            return _refused(environ, message, _INVALID, 400)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > _MAX_EVENT_BYTES:
            message = f"{length:,} bytes must be at most {_MAX_EVENT_BYTES:,} for an asynchronous invocation"
            return _refused(environ, message, "RequestTooLargeException", 413)
        try:
            event = json.loads(environ["wsgi.input"].read(length) or b"{}")
        except (ValueError, RecursionError) as error:
            return _refused(environ, f"Could not parse request body into json: {error}", _INVALID, 400)
        try:
            if self._state is None:
                raise FileNotFoundError
            body = {"function": function, "event": event, "dryRun": kind == "DryRun"}
            status, message = call_local_workmail(self._state, "/v1/invocations", body)
        except (OSError, ValueError, LookupError, TypeError, HTTPException) as error:
            why = "the local AWS runs functions through the local WorkMail, which does not answer"
            return _refused(environ, f"{why}: {type(error).__name__}", "ServiceException", 500)
        match status:
            case 202:
                headers = {"x-amzn-RequestId": str(uuid.uuid4())}
                return Response(b"", status=204 if kind == "DryRun" else 202, headers=headers)
            case 404:
                return _refused(environ, message, "ResourceNotFoundException", 404)
            case 422:
                hint = "the local AWS runs a function again for a message that went through the local WorkMail"
                return _refused(environ, f"{message}; {hint}", _INVALID, 400)
            case _:
                return _refused(environ, message, "ServiceException", 500)


def _refused(environ: dict[str, Any], message: str, code: str, status: int) -> Response:
    """Return an error as Lambda writes it: JSON, whose code is in a header."""
    response = refusal(environ, message, json_code=code, xml_code=code, status=status)
    response.data = json.dumps({"Type": "User" if status < 500 else "Service", "message": message})
    response.content_type = "application/json"
    return response
