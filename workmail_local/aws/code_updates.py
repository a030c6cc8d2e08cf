"""Lambda's UpdateFunctionCode: what it changes runs at once, as with `cdk deploy --hotswap`."""

from __future__ import annotations

import re
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from workmail_local.aws.cloudformation.local_cloudformation import all_stacks, local_cloudformation
from workmail_local.aws.cloudformation.local_stack import LocalStack
from workmail_local.aws.local_workmail_call import call_local_workmail
from workmail_local.aws.request_guard import credential_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workmail_local.aws.function_identities import FunctionIdentities

_UPDATE: Final = re.compile(r"/2015-03-31/functions/([^/]+)/code/?")


class CodeUpdates:
    """WSGI middleware, behind `FunctionAccess`, that saves the stack of a function whose code has been replaced.

    The template keeps the former code, which the next `local up` deploys again.

    Args:
        application: What answers all requests.
        state: The state folder, whose local WorkMail is to run the new code.
        identities: Give the account that a request acts in.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], *, state: Path | None, identities: FunctionIdentities
    ) -> None:
        self._application = application
        self._state = state
        self._identities = identities

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass the request on, and look at its answer if it was an update."""
        found = _UPDATE.fullmatch(environ.get("PATH_INFO", "")) if environ["REQUEST_METHOD"] == "PUT" else None
        if found is None:
            return self._application(environ, start_response)
        statuses: list[str] = []

        def start(status: str, *more: Any) -> Any:
            statuses.append(status)
            return start_response(status, *more)

        answer = list(self._application(environ, start))
        if statuses[-1].startswith("200"):
            credential = credential_of(environ)
            name = unquote(found[1]).split(":")[-1]
            self._save(name, self._identities.account_of_key(credential.key_id), credential.region)
        return answer

    def _save(self, function: str, account: str, region: str) -> None:
        for stack in tuple(all_stacks()):
            if (stack.account_id, stack.region_name) == (account, region) and _has(stack, function):
                LocalStack.listener.stack_changed(_outermost(stack))
        if self._state is not None:
            # Without one, the next that starts reads what is saved.
            with suppress(OSError, HTTPException, ValueError, LookupError, TypeError):
                call_local_workmail(self._state, "/v1/deployments/reload", {})


def _has(stack: LocalStack, function: str) -> bool:
    return any(
        made.request.type == "AWS::Lambda::Function" and made.resource.function_name == function
        for made in stack.resource_map.made.values()
    )


def _outermost(stack: LocalStack) -> LocalStack:
    while stack.parent_id is not None:
        stack = local_cloudformation(stack.account_id, stack.region_name).stacks[stack.parent_id]
    return stack
