"""Keeps what is deployed on disk, and deploys it again when the endpoint starts the next time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.s3.models import s3_backends

from workmail_flow.template import declared_rule_sets
from workmail_local.aws.bootstrap import ASSET_BUCKET, bootstrap
from workmail_local.aws.cloudformation.local_cloudformation import StackIdentity, all_stacks, local_cloudformation
from workmail_local.aws.snapshot import Snapshot, take_snapshot
from workmail_local.deployment import DEPLOYMENTS_FOLDER, SNAPSHOT_NAME, TEMPLATE_NAME
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from workmail_local.aws.cloudformation.local_cloudformation import LocalCloudFormation
    from workmail_local.aws.cloudformation.local_stack import LocalStack
    from workmail_local.aws.function_identities import FunctionIdentities

_REPLAY_NAME = "stack.json"
_ASSETS_FOLDER = "assets"
_NOT_DEPLOYED = frozenset({"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_COMPLETE"})


class SavedDeployments:
    """The state folder's deployments.

    A stack's folder holds its snapshot for the local WorkMail, its functions' code, and all that is needed to deploy it
    again; a nested stack has a folder of its own. The assets of all stacks lie together, by bucket and key.
    """

    def __init__(self, state: Path | None, identities: FunctionIdentities) -> None:
        self._state = state
        self._identities = identities
        self._kept: set[Path] = set()

    def check(self, stack: LocalStack) -> None:
        """Raise if the stack, or a rule that it declares, cannot be read back."""
        declared_rule_sets({"Metadata": take_snapshot(stack).content["metadata"]})

    def stack_changed(self, stack: LocalStack) -> None:
        """Save the stack and those nested in it; a nested one is saved with the outermost."""
        if stack.parent_id is None:
            backend = local_cloudformation(stack.account_id, stack.region_name)
            self._save(backend, _family(stack, backend))

    def replay(self) -> list[str]:
        """Deploy what is saved, without the CDK CLI and under the same names.

        Returns:
            What could not be deployed and why; it stays saved.
        """
        if self._state is None:
            return []
        for snapshot in self._deployments.glob(f"*/{SNAPSHOT_NAME}"):
            if not snapshot.with_name(_REPLAY_NAME).exists():
                shutil.rmtree(snapshot.parent)  # half deleted; the rest ended with the endpoint
        pending = {
            path.parent: json.loads(path.read_text()) for path in sorted(self._deployments.glob(f"*/{_REPLAY_NAME}"))
        }
        self._restore_assets(pending.values())
        self._kept = set(pending)
        outermost = {folder: saved for folder, saved in pending.items() if saved["parent_id"] is None}
        # A stack may import what another one exports; trying shows which has to go first.
        failures: dict[Path, str] = {}
        while True:
            failures = {
                folder: f"{saved['name']}: {failure}"
                for folder, saved in outermost.items()
                if (failure := _deploy_again(saved, pending.values())) is not None
            }
            if len(failures) in (0, len(outermost)):
                break
            outermost = {folder: outermost[folder] for folder in failures}
        for stack in tuple(all_stacks()):
            self.stack_changed(stack)
        return sorted(failures.values())

    def _save(self, backend: LocalCloudFormation, changed: Sequence[LocalStack]) -> None:
        for stack in changed:
            if stack.status in _NOT_DEPLOYED:
                self._identities.drop(stack.account_id, stack.region_name, stack.name)
                continue
            snapshot = take_snapshot(stack)
            self._identities.take(snapshot.content)
            if self._state is not None:
                self._save_stack(stack, snapshot, replayable=changed[0].status != "DELETE_FAILED")
        if self._state is None:
            return
        self._save_assets(backend)
        deployed = {self._folder(stack) for stack in backend.stacks.values() if stack.status not in _NOT_DEPLOYED}
        self._kept -= deployed
        for folder in self._deployments.glob(f"*.{backend.region_name}.{backend.account_id}"):
            if folder not in self._kept | deployed:
                shutil.rmtree(folder)

    def _save_stack(self, stack: LocalStack, snapshot: Snapshot, *, replayable: bool) -> None:
        folder = self._folder(stack)
        for path, content in snapshot.code.items():
            _write_once(folder / path, content)
        _write(folder / TEMPLATE_NAME, json.dumps(stack.template_dict, default=str).encode())
        if replayable:
            _write(folder / _REPLAY_NAME, json.dumps(_replay_data(stack)).encode())
        else:
            (folder / _REPLAY_NAME).unlink(missing_ok=True)
        _write(folder / SNAPSHOT_NAME, json.dumps(snapshot.content, indent=1).encode())

    def _save_assets(self, backend: LocalCloudFormation) -> None:
        for bucket in s3_backends[backend.account_id]["aws"].buckets.values():
            found = ASSET_BUCKET.fullmatch(bucket.name)
            if found and found["region"] == backend.region_name:
                for key, stored in bucket.keys.items():
                    _write_once(self._assets / bucket.name / key, stored.value)

    def _restore_assets(self, saved: Collection[dict[str, Any]]) -> None:
        for path in sorted(self._assets.glob("*/**/*")):
            if path.is_dir():
                continue
            bucket, _, key = path.relative_to(self._assets).as_posix().partition("/")
            found = ASSET_BUCKET.fullmatch(bucket)
            if found is None or not any(key in deployed["template"] for deployed in saved):
                path.unlink()  # of a stack that was updated or destroyed since
                continue
            bootstrap(found["account"], found["region"], found["qualifier"])
            s3_backends[found["account"]]["aws"].put_object(bucket, key, path.read_bytes())

    @property
    def _deployments(self) -> Path:
        return (self._state or Path()) / DEPLOYMENTS_FOLDER

    @property
    def _assets(self) -> Path:
        return (self._state or Path()) / _ASSETS_FOLDER

    def _folder(self, stack: LocalStack) -> Path:
        return self._deployments / f"{stack.name}.{stack.region_name}.{stack.account_id}"


def _family(stack: LocalStack, backend: LocalCloudFormation) -> list[LocalStack]:
    family = [stack]
    for other in backend.stacks.values():  # outer ones before those nested in them
        if other.parent_id in {member.stack_id for member in family}:
            family.append(other)
    return family


def _replay_data(stack: LocalStack) -> dict[str, Any]:
    return {
        "account": stack.account_id,
        "region": stack.region_name,
        "name": stack.name,
        "stack_id": stack.stack_id,
        "parent_id": stack.parent_id,
        "template": stack.template,
        "parameters": stack.parameters,
        "tags": stack.tags,
        "names": {logical_id: made.request.name for logical_id, made in stack.resource_map.made.items()},
    }


def _deploy_again(saved: dict[str, Any], all_saved: Collection[dict[str, Any]]) -> str | None:
    backend = local_cloudformation(saved["account"], saved["region"])
    backend.identities = {
        other["name"]: StackIdentity(other["stack_id"], other["names"])
        for other in all_saved
        if (other["account"], other["region"]) == (saved["account"], saved["region"])
    }
    failure = backend.restore(saved["name"], saved["template"], saved["parameters"], saved["tags"])
    backend.identities = {}
    return failure


def _write_once(path: Path, content: bytes) -> None:
    if not path.exists():
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole_file(path, content)
