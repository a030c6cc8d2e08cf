"""Access keys that cannot be guessed: whoever signs with one got it from the local WorkMail."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b32encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

SECRET_ACCESS_KEY: Final = "local"  # noqa: S105 - opens nothing
"""Of every key: signatures are not verified, so the key's id alone identifies the caller."""

SESSION_TOKEN: Final = "local"  # noqa: S105 - opens nothing

_DEVELOPER: Final = "developer"
_PREFIX: Final = "AKIA"
# Base32 digits; with the prefix, the 20 characters that a key id of AWS has, and moto reads no other.
_NAME_DIGITS: Final = 6
_PROOF_DIGITS: Final = 10
_KEY_ID: Final = re.compile(rf"{_PREFIX}(?P<name>[A-Z2-7]{{{_NAME_DIGITS}}})[A-Z2-7]{{{_PROOF_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """The access keys of one run.

    A key's id holds a digest of its owner's name and 50 bits that only the secret can make for that digest, so that
    every part of the local WorkMail recognizes a key without a list of them.

    Args:
        secret: Known to the processes of one local WorkMail only.
    """

    secret: str = field(repr=False)

    @classmethod
    def random(cls) -> Self:
        """Return keys that nothing else knows yet."""
        return cls(secrets.token_urlsafe(32))

    @property
    def developer(self) -> str:
        """The key id of the developer, whose calls need no permission: by the CDK CLI, a test, the AWS CLI, or us."""
        return self._key_id(_name(_DEVELOPER))

    def of_function(self, arn: str) -> str:
        """Return the key id of a function, which is the same throughout the run."""
        return self._key_id(_name(arn))

    def of_account(self, account: str) -> str:
        """Return the developer's key id in another account than the local AWS's default."""
        return self._key_id(_name(account))

    def issued(self, key_id: str) -> bool:
        """Whether a key id is one of this run."""
        found = _KEY_ID.fullmatch(key_id)
        return found is not None and hmac.compare_digest(self._key_id(found["name"]), key_id)

    def authorization(self, service: str, *, region: str, account: str | None = None) -> dict[str, str]:
        """Return the headers of a developer's request to the local AWS.

        Args:
            service: As a credential's scope names it, such as `s3`.
            region: Region of the request.
            account: The account to act in, instead of the local AWS's default.
        """
        scope = f"{self.developer}/20260101/{region}/{service}/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
        return headers if account is None else headers | {"x-moto-account-id": account}

    def _key_id(self, name: str) -> str:
        proof = b32encode(hmac.digest(self.secret.encode(), name.encode(), "sha256"))
        return f"{_PREFIX}{name}{proof[:_PROOF_DIGITS].decode()}"


def _name(owner: str) -> str:
    return b32encode(sha256(owner.encode()).digest())[:_NAME_DIGITS].decode()
