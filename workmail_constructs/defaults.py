"""The values the constructs choose, each with its reason. Values only."""

from __future__ import annotations

from typing import Final

from aws_cdk.aws_logs import RetentionDays

from workmail_flow.rule_entry import DEFAULT_RULE_TIMEOUT_MINUTES

PYTHON_VERSION: Final = "3.13"
"""The function's Python: the newest that both aws-cdk-lib has a Lambda runtime for and our tests run handlers under."""

MEMORY_MB: Final = 256
"""Enough to edit the largest message WorkMail carries, 40 MB of MIME (F16), without a copy too many."""

SYNCHRONOUS_TIMEOUT_SECONDS: Final = 14
"""A second less than WorkMail waits (T1): a function that hangs ends by its own timeout, as its log then tells."""

ASYNCHRONOUS_TIMEOUT_SECONDS: Final = 60
"""Mail does not wait for it (T4); a minute is plenty for a few calls, and short enough to bound a hanging one."""

LOG_RETENTION: Final = RetentionDays.ONE_MONTH
"""Long enough to look into a complaint about last week's mail; Lambda's own default is for ever."""

RULE_TIMEOUT_MINUTES: Final = DEFAULT_RULE_TIMEOUT_MINUTES
"""How long WorkMail retries: a throttled or just redeployed function recovers, and mail is not late by hours."""

ON_FAILURE_RETENTION_DAYS: Final = 14
"""The longest SQS keeps an event whose asynchronous function failed: over a holiday somebody looks."""

UPDATED_MESSAGE_DAYS: Final = 1
"""S3's shortest expiry. WorkMail reads an updated message within the 24 hours it is in transit at most (C2)."""
