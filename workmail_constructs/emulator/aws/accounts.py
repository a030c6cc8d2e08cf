"""Which account a request acts in."""

from __future__ import annotations

from moto.iam import models

from workmail_constructs.emulator.functions.credentials import access_key_id


class Accounts:
    """Accounts by access key: a function acts in its own account, everyone else in that of an assumed role."""

    def __init__(self, default: str) -> None:
        self._default = default
        self._of_function_key: dict[str, str] = {}

    def add_function(self, arn: str, account: str) -> None:
        """Let the function of this ARN act in this account."""
        self._of_function_key[access_key_id(arn)] = account

    def of_key(self, access_key: str) -> str:
        """The account that requests signed with this key act in."""
        if access_key in self._of_function_key:
            return self._of_function_key[access_key]
        for account, backends in list(models.iam_backends.items()):
            if access_key in backends["aws"].access_keys:
                return account
        return self._default

    def install(self) -> None:
        """Have moto ask here; its own default account is a constant."""
        models.get_account_id_from = self.of_key
