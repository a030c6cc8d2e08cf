"""Every number that comes from WorkMail, with the number of its fact."""

from __future__ import annotations

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

WORKMAIL_REGIONS: Final = ("eu-west-1", "us-east-1", "us-west-2")
"""The only Regions WorkMail exists in (L1)."""

WORKMAIL_PARTITION: Final = "aws"
"""The only partition WorkMail exists in (L1)."""

END_OF_SUPPORT: Final = "2027-03-31"
"""The last day on which the console and the resources can be reached (L6)."""

ORGANIZATION_ID_PATTERN: Final = r"m-[0-9a-f]{32}"
"""An organization id, to be matched in full (L3)."""

ORGANIZATION_ALIAS_PATTERN: Final = r"(?!d-)(?=.{1,62}$)[0-9A-Za-z]+(?:-[0-9A-Za-z]+)*"
"""An organization's alias, to be matched in full (L8)."""

MAX_SENDER_PATTERNS_PER_RULE: Final = 250
MAX_SENDER_PATTERNS_PER_ORGANIZATION: Final = 1_000
MAX_DOMAINS_PER_ORGANIZATION: Final = 1_000
"""Hard quotas (F6)."""

MAX_RULE_TIMEOUT_MINUTES: Final = 240
"""The longest rule timeout of a synchronous Run Lambda rule; 0 means no retry (F13, T3)."""

SYNCHRONOUS_LIMIT_SECONDS: Final = 15
"""How long WorkMail waits for a synchronous function (T1)."""

MAX_CONTENT_BYTES: Final = 29 * 1024 * 1024
MAX_MIME_BYTES: Final = 40 * 1024 * 1024
MAX_RECIPIENTS: Final = 500
MAX_ATTACHMENTS: Final = 500
"""What one message may carry (F16)."""

MAX_SUBJECT_CHARACTERS: Final = 256
"""Where the event's copy of the subject is cut (E5)."""

MAX_EVENT_BYTES: Final = 128 * 1024
"""Past this the event's recipients are cut and `truncated` is true (E6)."""

MESSAGE_ID_PATTERN: Final = r"[a-z0-9-]{1,120}"
"""A WorkMail message id, to be matched in full (E8)."""

MAX_REPLY_BYTES: Final = 256 * 1024
"""A larger reply is a failed invocation (R8)."""

MAX_REPLY_ACTIONS: Final = 10
"""Unique actions a reply may hold; those past it get the fallback action (R7)."""

MAX_OUTBOUND_REPLY_RECIPIENTS: Final = 500
"""Recipients an outbound reply may name (R9)."""

CONTENT_READABLE_HOURS: Final = 24
"""How long a message in transit can be read (C2)."""

OBJECT_KEY_PATTERN: Final = r"[a-zA-Z0-9-/]{1,1024}"
"""An S3 key PutRawMessageContent takes, to be matched in full (C6)."""

BUCKET_NAME_PATTERN: Final = r"[a-z0-9][a-z0-9-]{2,62}"
"""A bucket name PutRawMessageContent takes, to be matched in full (C6)."""

MAX_LINE_BYTES: Final = 1_000
"""The longest line of a message, with its CRLF (C8, RFC 5321 section 4.5.3.1.6)."""

LOG_GROUP_ARN_PATTERN: Final = r"arn:aws:logs:[a-z\-0-9]*:[0-9]{12}:log-group:([\.\-_/#A-Za-z0-9]+):\*"
"""The ARN of a log group for email events, to be matched in full (W2)."""

ROLE_ARN_PATTERN: Final = r"arn:aws:iam:[a-z0-9-]*:[a-z0-9-]+:[A-Za-z0-9][A-Za-z0-9:_/+=,@.-]{0,1023}"
"""The ARN of a role that WorkMail writes email events with, to be matched in full (W2)."""
