"""The values the constructs choose, each with its reason. Values only."""

from __future__ import annotations

from typing import Final

from aws_cdk.aws_logs import RetentionDays

from workmail_flow.rule_entry import DEFAULT_RULE_TIMEOUT_MINUTES

PYTHON_VERSION: Final = "3.13"
"""The newest Python that aws-cdk-lib has a Lambda runtime for and our tests run handlers under."""

ARCHITECTURE: Final = "arm64"
"""Cheaper than x86_64 for the same work, in all of WorkMail's Regions."""

MEMORY_MB: Final = 256
"""Enough to edit the largest message WorkMail carries, 40 MB of MIME (F16)."""

SYNCHRONOUS_TIMEOUT_SECONDS: Final = 14
"""A second less than WorkMail waits (T1): a function that hangs ends by its own timeout, which its log then shows."""

ASYNCHRONOUS_TIMEOUT_SECONDS: Final = 60
"""Mail does not wait for it (T4). A minute is plenty for a few calls, and ends a call that hangs."""

ALARM_DURATION_SECONDS: Final = 12.0
"""Four fifths of the time that WorkMail waits for a synchronous function (T1): slow, and not yet failed."""

ALARM_INCOMING_BOUNCES: Final = 1
"""In an hour. A mailbox that is full bounces all its mail until somebody makes room."""

ALARM_OUTGOING_BOUNCES: Final = 10
"""In an hour. More than mistyped addresses: mail in a user's name, or a gateway that cannot be reached (W5)."""

ALARM_HOURS_WITHOUT_RULE: Final = 72
"""Longer than a weekend without mail: an alarm that is raised each Sunday is soon ignored."""

LOG_RETENTION: Final = RetentionDays.ONE_MONTH
"""Long enough to look into a complaint about last week's mail; Lambda's own default is forever."""

RULE_TIMEOUT_MINUTES: Final = DEFAULT_RULE_TIMEOUT_MINUTES
"""How long WorkMail retries: a throttled or redeployed function recovers in it, and mail is not hours late."""

ON_FAILURE_RETENTION_DAYS: Final = 14
"""The longest SQS keeps an event: a failure during a holiday can still be looked into."""

UPDATED_MESSAGE_DAYS: Final = 1
"""S3's shortest expiry. A message is in transit, and so its update needed, for at most 24 hours (C2)."""
