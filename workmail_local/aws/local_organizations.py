"""WorkMail's `ListOrganizations`: the local AWS has each organization that a stack looks for by its alias."""

from __future__ import annotations

import json
from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Response

from workmail_local.aws.request_guard import credential_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workmail_local.aws.function_identities import FunctionIdentities

_LIST: Final = "WorkMailService.ListOrganizations"


class LocalOrganizations:
    """WSGI middleware, behind `FunctionAccess`, that answers `ListOrganizations` in one page.

    An organization's id is made from its alias, so that it is the same in every run.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], identities: FunctionIdentities) -> None:
        self._application = application
        self._identities = identities
        self._aliases: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, alias: str, *, account: str, region: str) -> None:
        """Let there be an organization with this alias (L8)."""
        self._aliases[account, region].add(alias)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or pass the request on."""
        if environ.get("HTTP_X_AMZ_TARGET") != _LIST:
            return self._application(environ, start_response)
        credential = credential_of(environ)
        place = self._identities.account_of_key(credential.key_id), credential.region
        summaries = [
            {
                "OrganizationId": f"m-{sha256(alias.encode()).hexdigest()[:32]}",
                "Alias": alias,
                "DefaultMailDomain": f"{alias.lower()}.awsapps.com",
                "State": "Active",
            }
            for alias in sorted(self._aliases[place])
        ]
        answer = Response(
            json.dumps({"OrganizationSummaries": summaries}), status=200, content_type="application/x-amz-json-1.1"
        )
        return answer(environ, start_response)
