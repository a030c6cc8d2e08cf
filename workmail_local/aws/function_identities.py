"""What a deployed function is to the local AWS: an account, a role and what the role allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_local.access_keys import AccessKeys
    from workmail_local.deployment import Statement


@dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """What a function's access key stands for."""

    account: str
    role_arn: str


class FunctionIdentities:
    """Functions by the access key that the local WorkMail gives them.

    Args:
        account: Of requests signed with any other key that moto did not give out.
        keys: The functions' access keys.
    """

    def __init__(self, account: str, keys: AccessKeys) -> None:
        self._default_account = account
        self._keys = keys
        self._by_key: dict[str, FunctionIdentity] = {}
        self._account_of_key: dict[str, str] = {}
        self._snapshots: dict[tuple[str, str, str], Mapping[str, Any]] = {}

    def take(self, snapshot: Mapping[str, Any]) -> None:
        """Take a stack's functions and policies from its snapshot."""
        account = snapshot["account"]
        self._snapshots[account, snapshot["region"], snapshot["stack"]] = snapshot
        self._account_of_key[self._keys.of_account(account)] = account
        for function in snapshot["functions"]:
            identity = FunctionIdentity(snapshot["account"], function["role_arn"])
            self._by_key[self._keys.of_function(function["arn"])] = identity

    def drop(self, account: str, region: str, stack: str) -> None:
        """Forget the policies of a stack that is gone."""
        self._snapshots.pop((account, region, stack), None)

    def of_key(self, access_key: str) -> FunctionIdentity | None:
        """The function that signs with this key."""
        return self._by_key.get(access_key)

    def role_statements(self, role_arn: str) -> tuple[Statement, ...]:
        """Every statement of a role's policies."""
        return self._statements("role_policies", role_arn)

    def bucket_statements(self, bucket: str) -> tuple[Statement, ...]:
        """Every statement of a bucket's policy."""
        return self._statements("bucket_policies", bucket)

    def account_of_key(self, access_key: str) -> str:
        """The account that requests signed with this key act in.

        That is a function's own, that of an assumed role, or one that has a stack here and whose key was asked for.
        """
        identity = self._by_key.get(access_key)
        if identity is not None:
            return identity.account
        known = self._account_of_key.get(access_key) or self.account_that_issued(access_key)
        return known or self._default_account

    def account_that_issued(self, access_key: str) -> str | None:
        """The account whose IAM or STS in moto gave this key out, to a user or to who assumed a role."""
        issuers = (
            account for account, backends in list(iam_backends.items()) if access_key in backends["aws"].access_keys
        )
        return next(issuers, None)

    def _statements(self, kind: str, name: str) -> tuple[Statement, ...]:
        snapshots = list(self._snapshots.values())
        return tuple(statement for snapshot in snapshots for statement in snapshot[kind].get(name, ()))
