"""Keeps other users of this machine, and pages in its browsers, out of the local AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workmail_local.aws.refusal import refusal
from workmail_local.credential import Credential
from workmail_local.loopback import is_local_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from werkzeug.wrappers import Response

    from workmail_local.access_keys import AccessKeys
    from workmail_local.aws.function_identities import FunctionIdentities

_CREDENTIAL: Final = "workmail_local.credential"


def credential_of(environ: dict[str, Any]) -> Credential:
    """Return the credential of a request that the guard has let through."""
    credential: Credential = environ[_CREDENTIAL]
    return credential


class RequestGuard:
    """WSGI middleware that refuses every request but those with a key of this run, to a loopback host.

    A key of this run is one that the local WorkMail made or that moto gave out, such as that of an assumed role.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], *, keys: AccessKeys, identities: FunctionIdentities
    ) -> None:
        self._application = application
        self._keys = keys
        self._identities = identities

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass the request on, or refuse it as AWS would."""
        if not is_local_request(environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")):
            return _denied(environ, "the local AWS answers on loopback only")(environ, start_response)
        if environ.get("PATH_INFO", "").startswith("/moto-api"):
            return _denied(environ, "moto's own API is closed")(environ, start_response)
        credential = Credential.of_request(environ.get("HTTP_AUTHORIZATION"), environ.get("QUERY_STRING", ""))
        if credential is None or not self._issued(credential.key_id):
            return _unknown(environ, credential)(environ, start_response)
        if credential.key_id != self._keys.developer:
            environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)  # only we may act in an account by its number
        return self._application({**environ, _CREDENTIAL: credential}, start_response)

    def _issued(self, key_id: str) -> bool:
        return self._keys.issued(key_id) or self._identities.account_that_issued(key_id) is not None


def _denied(environ: dict[str, Any], message: str) -> Response:
    return refusal(environ, message, json_code="AccessDeniedException", xml_code="AccessDenied", status=403)


def _unknown(environ: dict[str, Any], credential: Credential | None) -> Response:
    found = "a request needs an access key" if credential is None else f"access key {credential.key_id} is unknown"
    message = f"{found}: take the credentials of this run, which `workmail-flow local env` prints"
    return refusal(
        environ, message, json_code="UnrecognizedClientException", xml_code="InvalidClientTokenId", status=403
    )
