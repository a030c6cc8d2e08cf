"""Errors of the local AWS's own making, in the form that the caller's SDK parses."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response


def refusal(environ: dict[str, Any], message: str, *, json_code: str, xml_code: str, status: int) -> Response:
    """Return an error response: JSON to a request that names its operation in a header, XML to any other.

    Args:
        environ: The request.
        message: For the caller to read.
        json_code: The error's code as JSON services spell it.
        xml_code: The error's code as XML services spell it.
        status: The HTTP status.
    """
    if "HTTP_X_AMZ_TARGET" in environ:
        body, content_type = json.dumps({"__type": json_code, "message": message}), "application/x-amz-json-1.0"
    else:
        error = f"<Error><Code>{xml_code}</Code><Message>{escape(message)}</Message></Error>"
        body, content_type = f"<ErrorResponse>{error}</ErrorResponse>", "application/xml"
    # JSON services without that header, such as Lambda, have the code here.
    return Response(body, status=status, content_type=content_type, headers={"x-amzn-ErrorType": json_code})
