"""What is deployed now: the stacks and the handler folders in the state folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from workmail_local.deployed import Deployed
from workmail_local.deployment import load_deployments
from workmail_local.functions.handler_layer import handler_layer
from workmail_local.handler_folder import HandlerFolder

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_local.email_flow.destinations import Destinations
    from workmail_local.message_flow.service import S3Objects


class Deployments:
    """Reads what is deployed. `now` is the last state that could be read.

    Args:
        state: The state folder.
        region: Region of handler folders.
        account: Account of handler folders.
        objects: Makes the buckets of handler folders.
        destinations: Makes their queues.
    """

    now: Deployed

    def __init__(
        self, state: Path, *, region: str, account: str, objects: S3Objects, destinations: Destinations
    ) -> None:
        self._state = state
        self._region = region
        self._account = account
        self._objects = objects
        self._destinations = destinations

    async def load(self) -> None:
        """Read what is deployed; if that fails, `now` stays as it was.

        Raises:
            workmail_flow.rule_problems.RuleError: The deployed rules conflict.
            workmail_flow.template.TemplateError: Another release declared the rules.
            StateFileError: A file of a stack or a handler folder cannot be used.
        """
        deployed, folders = await asyncio.to_thread(self._read)
        for folder in folders:
            # A stack would have made them.
            await self._objects.make_bucket(folder.bucket)
            await self._destinations.make_queue(folder.on_failure_arn(region=self._region, account=self._account))
        self.now = deployed

    def _read(self) -> tuple[Deployed, tuple[HandlerFolder, ...]]:
        region, account = self._region, self._account
        folders = HandlerFolder.load_all(self._state)
        deployments = [*load_deployments(self._state)]
        for folder in folders:
            layer = handler_layer(
                folder.folder, include=folder.included, runtime=folder.runtime, work=self._state / "functions"
            )
            deployments.append(folder.deployment(region=region, account=account, layers=(layer,)))
        return Deployed.of(deployments, region=region, account=account), folders
