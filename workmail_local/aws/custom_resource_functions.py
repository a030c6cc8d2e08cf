"""Runs the functions of custom resources, as they are deployed and with the rights that their roles have."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import ValidationError

from workmail_flow.lookup_resource import LOOKUP_ALIAS, LOOKUP_TYPE
from workmail_local.aws.cloudformation.local_cloudformation import local_cloudformation
from workmail_local.aws.snapshot import functions_snapshot
from workmail_local.deployment import deployed_function
from workmail_local.functions import FunctionHost, FunctionSpec

if TYPE_CHECKING:
    from workmail_local.access_keys import AccessKeys
    from workmail_local.aws.cloudformation.provider import ResourceRequest
    from workmail_local.aws.function_identities import FunctionIdentities
    from workmail_local.aws.local_organizations import LocalOrganizations
    from workmail_local.functions import Invocation


class LocalCustomResourceFunctions:
    """Runs functions of a stack that is being made; implements `CustomResourceFunctions`.

    Args:
        work: Folder for unpacked code.
        endpoint: The local AWS, for the functions' calls.
        keys: Holds each function's access key.
        identities: Gets the rights of a function before it runs.
        organizations: Gets the organizations that a stack looks for.
    """

    def __init__(
        self,
        *,
        work: Path,
        endpoint: str,
        keys: AccessKeys,
        identities: FunctionIdentities,
        organizations: LocalOrganizations,
    ) -> None:
        self._work = work
        self._endpoint = endpoint
        self._keys = keys
        self._identities = identities
        self._organizations = organizations

    def run(self, request: ResourceRequest, event: dict[str, Any]) -> str:
        """Run the function that the resource's ServiceToken names until it ends; return how it ended, for people.

        Raises:
            ValidationError: The ServiceToken names no function of the same stack.
            UnsupportedRuntimeError: It is not a Python function.
        """
        if request.type == LOOKUP_TYPE:
            self._organizations.add(
                str(request.properties[LOOKUP_ALIAS]), account=request.account, region=request.region
            )
        stack = local_cloudformation(request.account, request.region).stacks[request.stack_id]
        snapshot = functions_snapshot(stack)
        self._identities.take(snapshot.content)
        token = request.properties["ServiceToken"]
        entry = next((each for each in snapshot.content["functions"] if each["arn"] == token), None)
        if entry is None:
            raise ValidationError(message=f"ServiceToken: found {token}; allowed here is a function of the same stack")
        with tempfile.TemporaryDirectory() as folder:
            for path, content in snapshot.code.items():
                file = Path(folder, path)
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content)
            spec = FunctionSpec.from_deployed(deployed_function(Path(folder), entry), region=request.region)
            invocation = asyncio.run(self._invoke(spec, json.dumps(event).encode()))
        return f"{invocation.outcome} {invocation.error_message or ''}".strip()

    async def _invoke(self, spec: FunctionSpec, event: bytes) -> Invocation:
        endpoints = {"AWS_ENDPOINT_URL": self._endpoint}
        async with FunctionHost(work=self._work, endpoints=endpoints, keys=self._keys) as host:
            return await host.invoke(spec, event)
