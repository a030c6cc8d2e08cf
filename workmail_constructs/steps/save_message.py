"""The message as it came, in a bucket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Unpack

from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.guards import guard_place
from workmail_constructs.steps.step import OnFailure, Step, StepOptions
from workmail_flow.assumptions import IMMUTABLE_HEADERS
from workmail_flow.updated_content import FIELD_NAME_PATTERN, UNIQUE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.interfaces import AnyBucket
    from workmail_constructs.steps.binding import StepBinding

_PREFIX: Final = re.compile(r"(?!/)[A-Za-z0-9_./-]{0,500}")
_FIELD_NAME: Final = re.compile(FIELD_NAME_PATTERN)
_NOT_ADDED: Final = frozenset((*IMMUTABLE_HEADERS, *UNIQUE_HEADERS))


class SaveMessage(Step):
    """Saves the message as it came and its event, in JSON, before anything else happens to it.

    The key is `PREFIX2026/11/26/inbound/MESSAGE_ID/INVOCATION_ID`, with `.eml` and `.json` behind it; the day is in
    UTC.
    """

    function = "workmail_rules.save_message:run"
    default_on_failure = OnFailure.FAIL
    guards = True

    def __init__(
        self, bucket: AnyBucket, *, prefix: str = "", header: str | None = None, **options: Unpack[StepOptions]
    ) -> None:
        """Take the bucket.

        Args:
            bucket: A bucket of the rule's Region. Expiry, encryption and Object Lock are its own. If it is imported and
                has a KMS key, import it with the key.
            prefix: What the keys begin with; the function may put there only.
            header: A header that names the key in the message that goes on. By default the message stays as it is.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: The prefix has other characters than letters, digits, `_`, `.`, `/` and `-`, or the header is
                none that may be added.
        """
        super().__init__(**options)
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(
                f"prefix: found {prefix!r}; letters, digits, '_', '.', '/' and '-' are allowed, 500 at most, and no "
                "'/' at the beginning"
            )
        if header is not None and (not _FIELD_NAME.fullmatch(header) or _is_structural(header.lower())):
            raise ValueError(f"header: found {header!r}; give a name that no other program uses, such as X-Saved-As")
        self._bucket = bucket
        self._prefix = prefix
        self._header = header

    @property
    def content_access(self) -> ContentAccess:
        """The step reads the message, and edits it to name the key."""
        return ContentAccess.READ if self._header is None else ContentAccess.UPDATE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Let the function put objects, and return where."""
        bucket = self._bucket
        guard_place(
            binding.rule,
            binding.record,
            what=f"the bucket of {self.name}",
            region=bucket.env.region,
            account=binding.record.account,  # another account's bucket policy may let the function put
            remedy="give a bucket of the rule's Region",
            fact="the function puts messages into a bucket of its own Region",
        )
        objects = bucket.arn_for_objects(f"{self._prefix}*")
        binding.grant([PolicyStatement(actions=["s3:PutObject"], resources=[objects])])
        if key := bucket.encryption_key:
            binding.grant([PolicyStatement(actions=["kms:GenerateDataKey"], resources=[key.key_arn])])
        return {"bucket": bucket.bucket_name, "prefix": self._prefix, "header": self._header}


def _is_structural(header: str) -> bool:
    return header in _NOT_ADDED or header.startswith("content-") or header == "mime-version"
